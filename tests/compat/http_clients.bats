#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# curl, wget, ab and wrk, against nginx and a server that says what it got.

load lib.bash

setup_file() {
  compat_up
  installed nginx-light || return 0
  nginx_conf "$WORK/nginx.conf" "$WORK/www" 80
  sed -i '1i user www-data;' "$WORK/nginx.conf"
  mkdir -p "$WORK/www/tree/deeper"
  for page in one two three; do echo "page $page" >"$WORK/www/tree/deeper/$page.html"; done
  printf '<a href="deeper/%s.html">x</a>\n' one two three >"$WORK/www/tree/index.html"
  serve a nginx /usr/sbin/nginx -e "$WORK/nginx/error.log" -c "$WORK/nginx.conf" -g 'daemon off;'
  serve a digest /usr/bin/python3 -u -c '
import hashlib, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = (hashlib.sha256(body).hexdigest() + " " + self.client_address[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()'
  wait_for 15 fetch b -o /dev/null "http://$IP_a/"
  wait_for 15 fetch b -X PUT -d '' -o /dev/null "http://$IP_a:8000/"
}

@test "curl" {
  claim curl curl client "8 MB, a resumed download, 20 parallel transfers over shared connections, an upload of 8 MB, a refused and a silent port"
  [ "$(get_sum b "http://$IP_a/large")" = "$LARGE_SUM" ]
  head -c 3000000 "$WORK/www/large" >"$WORK/part"
  fetch b -C - -o "$WORK/part" "http://$IP_a/large"
  [ "$(sum <"$WORK/part")" = "$LARGE_SUM" ]
  mkdir "$WORK/many"
  fetch b -Z --parallel-max 10 -o "$WORK/many/#1" "http://$IP_a/large?[1-20]"
  [ "$(cat "$WORK/many"/* | wc -c)" -eq 160000000 ]
  [ "$(for file in "$WORK/many"/*; do sum <"$file"; done | uniq)" = "$LARGE_SUM" ]
  [ "$(fetch b -T "$WORK/www/large" "http://$IP_a:8000/")" = "$LARGE_SUM $IP_b" ]
  run -7 fetch b "http://$IP_a:81/"
  run -28 on b curl -sS --noproxy '*' --max-time 2 "http://10.77.0.254/"
}

@test "wget" {
  claim wget wget client "8 MB, a resumed download, a tree of pages, a refused port"
  [ "$(on b wget --no-proxy -q -O - "http://$IP_a/large" | sum)" = "$LARGE_SUM" ]
  head -c 3000000 "$WORK/www/large" >"$WORK/large"
  (cd "$WORK" && on b wget --no-proxy -q -c "http://$IP_a/large")
  [ "$(sum <"$WORK/large")" = "$LARGE_SUM" ]
  (cd "$WORK" && on b wget --no-proxy -q -r -nH -P got "http://$IP_a/tree/")
  diff -r "$WORK/www/tree" "$WORK/got/tree"
  run -4 on b wget --no-proxy -q -t 1 -O - "http://$IP_a:81/"
}

@test "ab" {
  claim apache2-utils ab client "5000 requests of 50 clients with and without keep-alive, none failed"
  for keep in "" -k; do
    # shellcheck disable=SC2086  # an option or none
    run on b ab -q $keep -n 5000 -c 50 "http://$IP_a/index.html"
    [ "$status" -eq 0 ]
    [[ "$output" == *"Complete requests:      5000"* ]]
    [[ "$output" == *"Failed requests:        0"* ]]
    [[ "$output" != *"Non-2xx"* ]]
  done
}

@test "wrk" {
  claim wrk wrk client "two threads, 50 connections, no socket error, no wrong status"
  run on b wrk -t 2 -c 50 -d 2s "http://$IP_a/index.html"
  [ "$status" -eq 0 ]
  [[ "$output" =~ [1-9][0-9]*\ requests\ in ]]
  [[ "$output" != *"Socket errors"* ]]
  [[ "$output" != *"Non-2xx"* ]]
}
