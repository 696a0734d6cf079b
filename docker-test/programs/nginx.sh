# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
# nginx as packaged: a master of root, two workers of www-data, sendfile.
PACKAGES=nginx-light
RUN_AS=0:0
serve() {
  cat >/tmp/nginx.conf <<CONF
user www-data;
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr;
events { worker_connections 256; }
http { access_log off; sendfile on; server { listen 80; root $DATA; } }
CONF
  exec nginx -c /tmp/nginx.conf -g 'daemon off;'
}
check() { http_check 80 big; }
