#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# OpenSSH under the library: re-exec with an inherited connection, privilege separation (chroot, setuid) when
# root runs it, the pre-authentication sandbox, close-on-everything, and scp.

setup_file() {
  load lib.bash
  SSHD=$(command -v sshd || echo /usr/sbin/sshd)
  export SSHD
  if ! [ -x "$SSHD" ] || ! command -v ssh scp ssh-keygen >/dev/null; then
    skip "openssh-server and openssh-client are not installed"
  fi
  universe_up a b
  mkdir -m 700 "$WORK/ssh"
  ssh-keygen -q -t ed25519 -N '' -f "$WORK/ssh/host"
  ssh-keygen -q -t ed25519 -N '' -f "$WORK/ssh/user"
  cp "$WORK/ssh/user.pub" "$WORK/ssh/authorized"
  echo "[$IP_a]:2222 $(cut -d' ' -f1,2 "$WORK/ssh/host.pub")" >"$WORK/ssh/known"
  cat >"$WORK/ssh/sshd_config" <<CONF
Port 2222
AddressFamily inet
ListenAddress 0.0.0.0
HostKey $WORK/ssh/host
AuthorizedKeysFile $WORK/ssh/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
CONF
  cat >"$WORK/ssh/config" <<CONF
Host a
  HostName $IP_a
  Port 2222
  IdentityFile $WORK/ssh/user
  IdentitiesOnly yes
  UserKnownHostsFile $WORK/ssh/known
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 20
CONF
  # Where privilege separation chroots to; a package's start script makes it.
  if [ "$(id -u)" = 0 ]; then install -d -m 755 /run/sshd; fi
  serve a sshd "$SSHD" -D -e -f "$WORK/ssh/sshd_config"
  wait_for 15 grep -q "listening on 0.0.0.0 port 2222" "$WORK/sshd.log"
}
teardown_file() {
  load lib.bash
  if [ -n "${WORK:-}" ]; then universe_down; fi
}
setup() {
  load lib.bash
}

@test "ssh runs a command; SSH_CONNECTION holds the virtual addresses" {
  # shellcheck disable=SC2016  # expanded over there
  run on b timeout 60 ssh -F "$WORK/ssh/config" a 'echo "$SSH_CONNECTION"; exit 7'
  [ "$status" -eq 7 ]
  [[ "$output" == "$IP_b "*" $IP_a 2222" ]]
}

@test "scp carries 3 MB there and back" {
  head -c 3000000 /dev/urandom >"$WORK/file"
  on b timeout 60 scp -q -F "$WORK/ssh/config" "$WORK/file" "a:$WORK/there"
  on b timeout 60 scp -q -F "$WORK/ssh/config" "a:$WORK/there" "$WORK/back"
  cmp "$WORK/file" "$WORK/there"
  cmp "$WORK/file" "$WORK/back"
}

@test "an unknown key is refused, and the server goes on" {
  ssh-keygen -q -t ed25519 -N '' -f "$WORK/ssh/stranger"
  run on b timeout 60 ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o "UserKnownHostsFile $WORK/ssh/known" \
    -o StrictHostKeyChecking=yes -p 2222 -i "$WORK/ssh/stranger" "$IP_a" true
  [ "$status" -eq 255 ]
  [[ "$output" == *"Permission denied"* ]]
  on b timeout 60 ssh -F "$WORK/ssh/config" a true
}
