# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
# apache2 with the event MPM: several processes and threads accept on one inherited listener.
PACKAGES=apache2
RUN_AS=0:0
serve() {
  sed -i 's/^Listen 80.*/Listen 0.0.0.0:80/' /etc/apache2/ports.conf
  cat >/etc/apache2/sites-enabled/000-default.conf <<CONF
ServerName netcon.test
<VirtualHost *:80>
  DocumentRoot $DATA
  <Directory $DATA>
    Require all granted
  </Directory>
</VirtualHost>
CONF
  mkdir -p /var/log/apache2
  exec apache2ctl -D FOREGROUND
}
check() { http_check 80 big; }
