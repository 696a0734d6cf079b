# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
# One process, one epoll; in the place of darkhttpd, which Debian does not package (decision 192).
PACKAGES=lighttpd
serve() {
  cat >/tmp/lighttpd.conf <<CONF
server.document-root = "$DATA"
server.port = 8080
server.bind = "0.0.0.0"
server.upload-dirs = ( "/tmp" )
index-file.names = ( "index.html" )
CONF
  exec lighttpd -D -f /tmp/lighttpd.conf
}
check() { http_check 8080 big; }
