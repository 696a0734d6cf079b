#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2016  # IP_x, LARGE_SUM: exported by compat_up; PHP's variables
# php-fpm on one member behind nginx on the other (FastCGI over TCP), as www-data, with a list of allowed clients.

load lib.bash

setup_file() {
  compat_up
  installed php8.2-fpm && installed nginx-light && [ "$(id -u)" -eq 0 ] || return 0
  mkdir -p "$WORK/php"
  echo '<?php echo hash("sha256", file_get_contents("php://input")), " ", $_SERVER["REMOTE_ADDR"];' >"$WORK/php/digest.php"
  echo '<?php echo hash("sha256", file_get_contents("http://'"$IP_a"'/static/large"));' >"$WORK/php/fetch.php"
  printf '%s\n' '[global]' "error_log = $WORK/php/error.log" 'daemonize = no' '[www]' 'user = www-data' 'group = www-data' \
    'listen = 0.0.0.0:9000' "listen.allowed_clients = $IP_a" 'pm = static' 'pm.max_children = 3' 'catch_workers_output = yes' >"$WORK/php.conf"
  serve b php /usr/sbin/php-fpm8.2 -n -y "$WORK/php.conf"
  nginx_conf "$WORK/nginx.conf" "$WORK/www" "80; client_max_body_size 20m; location /static/ { alias $WORK/www/; }
    location ~ \.php\$ { include /etc/nginx/fastcgi_params; fastcgi_pass $IP_b:9000;
      fastcgi_param SCRIPT_FILENAME $WORK/php\$fastcgi_script_name; }
    index index.html"
  sed -i '1i user www-data;' "$WORK/nginx.conf"
  serve a nginx /usr/sbin/nginx -e "$WORK/nginx/error.log" -c "$WORK/nginx.conf" -g 'daemon off;'
  wait_for 20 fetch b -o /dev/null "http://$IP_a/digest.php"
}

@test "php-fpm behind nginx: bodies, addresses, allowed clients" {
  claim php8.2-fpm php-fpm server "FastCGI over TCP behind nginx of another member: three www-data workers, 8 MB posted, allowed_clients"
  claim nginx-light nginx client "FastCGI over TCP to another member"
  [ "$(fetch b -H "Content-Type: application/octet-stream" --data-binary "@$WORK/www/large" "http://$IP_a/digest.php")" = "$LARGE_SUM $IP_b" ]
  run on b ab -q -n 500 -c 10 "http://$IP_a/digest.php"
  [[ "$output" == *"Complete requests:      500"* ]]
  [[ "$output" == *"Failed requests:        0"* ]]
  runs_as php www-data
  off_the_host php
  # b itself is not on the list: it meets a closed connection.
  run on b timeout 20 ncat "$IP_b" 9000 </dev/null
  wait_for 10 grep -q "Connection disallowed: IP address '$IP_b' has been dropped" "$WORK/php/error.log"
}

@test "PHP's streams as a client" {
  claim php8.2-fpm php-fpm client "file_get_contents() of 8 MB by HTTP from another member"
  [ "$(fetch b "http://$IP_a/fetch.php")" = "$LARGE_SUM" ]
}
