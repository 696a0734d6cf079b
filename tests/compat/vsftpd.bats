#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# vsftpd with its own sandbox (chroot, seccomp, network namespace of its own), by curl and lftp, passive and active.

load lib.bash

setup_file() {
  compat_up
  installed vsftpd && [ "$(id -u)" -eq 0 ] || return 0
  mkdir -p "$WORK/ftp/incoming" /var/run/vsftpd/empty
  chown ftp "$WORK/ftp/incoming"
  cp "$WORK/www/large" "$WORK/ftp/"
  cat >"$WORK/vsftpd.conf" <<CONF
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
anon_root=$WORK/ftp
no_anon_password=YES
write_enable=YES
anon_upload_enable=YES
anon_umask=022
connect_from_port_20=YES
secure_chroot_dir=/var/run/vsftpd/empty
xferlog_enable=YES
vsftpd_log_file=$WORK/xfer.log
CONF
  serve a vsftpd /usr/sbin/vsftpd "$WORK/vsftpd.conf"
  wait_for 15 fetch b -o /dev/null "ftp://$IP_a/"
}

@test "vsftpd: passive and active transfers, uploads" {
  claim vsftpd vsftpd server "dual-stack, sandbox (chroot, seccomp, own user); passive (PASV, EPSV) and active (PORT, EPRT from port 20) transfers, uploads, addresses in the log"
  claim curl curl client "FTP, passive and active, over IPv4 and IPv6"
  claim lftp lftp client "FTP: listing, 8 MB, upload, mirror"
  for options in "" "--disable-epsv" "-P -" "-P - --disable-eprt"; do
    # shellcheck disable=SC2086  # options are words
    [ "$(get_sum b $options "ftp://$IP_a/large")" = "$LARGE_SUM" ]
  done
  [ "$(get_sum b "ftp://[$IP6_a]/large")" = "$LARGE_SUM" ]
  [ "$(get_sum b -P - "ftp://[$IP6_a]/large")" = "$LARGE_SUM" ]
  fetch b -T "$WORK/www/large" "ftp://$IP_a/incoming/by-curl"
  [ "$(sum <"$WORK/ftp/incoming/by-curl")" = "$LARGE_SUM" ]
  mkdir "$WORK/got"
  HOME=$WORK on b timeout 90 lftp -c "set net:max-retries 2; set net:timeout 20; open ftp://$IP_a; ls;
    get large -o $WORK/got/large; put -O incoming $WORK/www/index.html -o by-lftp"
  [ "$(sum <"$WORK/got/large")" = "$LARGE_SUM" ]
  cmp "$WORK/www/index.html" "$WORK/ftp/incoming/by-lftp"
  grep -q "OK DOWNLOAD: Client \"::ffff:$IP_b\", \"/large\", 8000000 bytes" "$WORK/xfer.log"
  grep -q "OK UPLOAD: Client \"::ffff:$IP_b\", \"/incoming/by-lftp\"" "$WORK/xfer.log"
  off_the_host vsftpd
}
