# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
PACKAGES=nodejs
serve() {
  cat >/tmp/server.js <<'JS'
const fs = require('fs'), http = require('http');
http.createServer((q, r) => q.url === '/big' ? fs.createReadStream('/tmp/data/big').pipe(r)
  : r.end('Welcome to the machine!\n')).listen(80, '0.0.0.0', () => console.log('Server running!'));
JS
  exec node /tmp/server.js
}
check() { http_check 80 big; }
