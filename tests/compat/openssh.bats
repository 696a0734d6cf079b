#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# OpenSSH: sshd of root with re-exec, privilege separation (chroot to /run/sshd as user sshd, seccomp sandbox),
# scp in both protocols, sftp, and forwarding in each direction.

load lib.bash

setup_file() {
  compat_up
  installed openssh-server && installed openssh-client && [ "$(id -u)" -eq 0 ] || return 0
  mkdir "$WORK/ssh"
  ssh-keygen -q -t ed25519 -N '' -f "$WORK/ssh/host"
  ssh-keygen -q -t ed25519 -N '' -f "$WORK/ssh/user"
  cp "$WORK/ssh/user.pub" "$WORK/ssh/authorized"
  {
    echo "[$IP_a]:2222 $(cut -d' ' -f1,2 "$WORK/ssh/host.pub")"
    echo "[$IP6_a]:2222 $(cut -d' ' -f1,2 "$WORK/ssh/host.pub")"
  } >"$WORK/ssh/known"
  cat >"$WORK/ssh/sshd_config" <<CONF
Port 2222
HostKey $WORK/ssh/host
AuthorizedKeysFile $WORK/ssh/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
Subsystem sftp /usr/lib/openssh/sftp-server
CONF
  cat >"$WORK/ssh/config" <<CONF
Host a
  HostName $IP_a
Host a6
  HostName $IP6_a
Host *
  User root
  Port 2222
  IdentityFile $WORK/ssh/user
  IdentitiesOnly yes
  UserKnownHostsFile $WORK/ssh/known
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ExitOnForwardFailure yes
  ConnectTimeout 20
CONF
  install -d -m 755 /run/sshd
  serve a sshd /usr/sbin/sshd -D -e -f "$WORK/ssh/sshd_config"
  wait_for 15 grep -q "listening on :: port 2222" "$WORK/sshd.log"
}

over_ssh() { # SSH-PROGRAM ARGUMENTS...: on b, with the test's configuration
  local program=$1
  shift
  on b timeout 60 "$program" -F "$WORK/ssh/config" "$@"
}

@test "sshd: privilege separation, a session over IPv4 and IPv6, exit status, the client's address" {
  claim openssh-server sshd server "re-exec, privilege separation with its seccomp sandbox, sessions over IPv4 and IPv6, SSH_CONNECTION and log with virtual addresses"
  claim openssh-client ssh client "commands over IPv4 and IPv6, exit status, 8 MB through standard input and output, refusal of a stranger's key"
  # shellcheck disable=SC2016  # expanded over there
  run over_ssh ssh a 'echo "$SSH_CONNECTION"; exit 7'
  [ "$status" -eq 7 ]
  [[ "$output" == "$IP_b "*" $IP_a 2222" ]]
  # shellcheck disable=SC2016
  run over_ssh ssh a6 'echo "$SSH_CONNECTION"'
  [[ "$output" == "$IP6_b "*" $IP6_a 2222" ]]
  [ "$(over_ssh ssh a cat <"$WORK/www/large" | sum)" = "$LARGE_SUM" ]
  grep -q "Accepted publickey for root from $IP_b port" "$WORK/sshd.log"
  off_the_host sshd
}

# Before authentication there is a process of user sshd, chrooted, without descriptors to spare.
separated() {
  local pid
  for pid in $(family "$(cat "$WORK/sshd.childpid")"); do
    if [ "$(readlink "/proc/$pid/root")" = /run/sshd ] &&
      [ "$(stat -c %U "/proc/$pid")" = sshd ] && grep -q '^Seccomp:.*2' "/proc/$pid/status"; then return 0; fi
  done
  return 1
}

@test "sshd: the unprivileged process before authentication is there, and a stranger is refused" {
  claim openssh-server sshd server "the process before authentication is chrooted, of user sshd and under seccomp"
  serve b waiting /usr/bin/python3 -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 2222))
s.sendall(b"SSH-2.0-waiting\r\n")
while s.recv(4096): pass' "$IP_a"
  wait_for 15 separated
  stop_served waiting
  ssh-keygen -q -t ed25519 -N '' -f "$WORK/ssh/stranger"
  run on b timeout 60 ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o "UserKnownHostsFile $WORK/ssh/known" \
    -o StrictHostKeyChecking=yes -p 2222 -i "$WORK/ssh/stranger" "$IP_a" true
  [ "$status" -eq 255 ]
  [[ "$output" == *"Permission denied"* ]]
}

@test "scp by both of its protocols, sftp" {
  claim openssh-client "scp, sftp" client "8 MB there and back by scp (SFTP and original protocol) and sftp, by SHA-256"
  claim openssh-server sshd server "sftp subsystem, scp's original protocol"
  for protocol in -s -O; do
    over_ssh scp $protocol -q "$WORK/www/large" "a:$WORK/there"
    [ "$(sum <"$WORK/there")" = "$LARGE_SUM" ]
    over_ssh scp $protocol -q "a:$WORK/there" "$WORK/back"
    [ "$(sum <"$WORK/back")" = "$LARGE_SUM" ]
    rm "$WORK/there" "$WORK/back"
  done
  printf 'put %s %s\nls -l %s\nget %s %s\n' "$WORK/www/large" "$WORK/there" "$WORK/there" "$WORK/there" "$WORK/back" |
    over_ssh sftp -b - a >"$WORK/sftp.out"
  grep -q "8000000 .*there" "$WORK/sftp.out"
  [ "$(sum <"$WORK/there")" = "$LARGE_SUM" ]
  [ "$(sum <"$WORK/back")" = "$LARGE_SUM" ]
}

@test "ssh forwards ports in each direction" {
  claim openssh-client ssh client "local (-L), remote (-R) and dynamic (-D, SOCKS) forwarding of 8 MB"
  claim openssh-server sshd server "connections and listeners on behalf of clients (-L, -R, -D)"
  http_upstream a 8000 far # what -L and -D reach through 127.0.0.1 of a
  serve b near /usr/bin/python3 -u -m http.server --bind 127.0.0.1 --directory "$WORK/www" 8001
  serve b forward ssh -F "$WORK/ssh/config" -N -L 7001:127.0.0.1:8000 -R 7002:127.0.0.1:8001 -D 7003 a
  wait_for 20 fetch b -o /dev/null http://127.0.0.1:7001/index.html
  [ "$(get_sum b http://127.0.0.1:7001/large)" = "$LARGE_SUM" ]
  [ "$(get_sum a http://127.0.0.1:7002/large)" = "$LARGE_SUM" ]
  [ "$(on b curl -sS --fail --noproxy '' --socks5 127.0.0.1:7003 --max-time 60 http://127.0.0.1:8000/large | sum)" = "$LARGE_SUM" ]
  off_the_host forward
  off_the_host sshd
}
