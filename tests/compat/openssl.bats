#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# openssl s_server and s_client: TLS 1.3 and 1.2, resumption.

load lib.bash

setup_file() {
  compat_up
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/key" -out "$WORK/cert" -days 2 -subj /CN=compat \
    -addext "subjectAltName=IP:$IP_a" 2>/dev/null
}

@test "openssl s_server serves files over TLS" {
  claim openssl "openssl s_server" server "HTTPS (-WWW) of 8 MB, TLS 1.2 and 1.3, resumption"
  claim openssl "openssl s_client" client "verified certificate, TLS 1.2 and 1.3, a resumed session"
  claim curl curl client "HTTPS with a verified certificate"
  cd "$WORK/www" || return 1
  serve a tls openssl s_server -accept 4433 -cert "$WORK/cert" -key "$WORK/key" -WWW
  cd "$TOP" || return 1
  wait_for 15 fetch b --cacert "$WORK/cert" -o /dev/null "https://$IP_a:4433/index.html"
  for version in 1.2 1.3; do
    [ "$(get_sum b --cacert "$WORK/cert" --tls-max $version --tlsv$version "https://$IP_a:4433/large")" = "$LARGE_SUM" ]
    run on b timeout 60 openssl s_client -connect "$IP_a:4433" -CAfile "$WORK/cert" -verify_return_error \
      "-tls${version/./_}" -ign_eof -sess_out "$WORK/session" <<<$'GET /index.html HTTP/1.0\r\n\r'
    [ "$status" -eq 0 ]
    [[ "$output" == *"Verify return code: 0 (ok)"* ]]
    [[ "$output" == *"hello from the virtual network"* ]]
    run on b timeout 60 openssl s_client -connect "$IP_a:4433" -CAfile "$WORK/cert" "-tls${version/./_}" -ign_eof \
      -sess_in "$WORK/session" <<<$'GET /index.html HTTP/1.0\r\n\r'
    [[ "$output" == *"Reused, TLSv$version"* ]]
  done
  off_the_host tls
}
