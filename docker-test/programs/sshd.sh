# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
# sshd of root with privilege separation: chroot, setuid, re-exec; a command, and scp of the big file.
PACKAGES=openssh-server
RUN_AS=0:0
serve() {
  install -d -m 755 /run/sshd
  install -d -m 700 ~root/.ssh
  # Handed over by test.sh: the monitor's public key.
  echo "$MONITOR_KEY" >~root/.ssh/authorized_keys
  ssh-keygen -A >/dev/null
  exec /usr/sbin/sshd -D -e -o UsePAM=no -o AddressFamily=inet -o PermitRootLogin=prohibit-password
}
check() {
  cp /keys/id id && chmod 600 id
  options=(-i id -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/tmp/known -o BatchMode=yes -o ConnectTimeout=15)
  retry ssh "${options[@]}" "root@$PEER" true
  ssh "${options[@]}" "root@$PEER" 'echo "$SSH_CONNECTION"' | grep -q "^10\.99\..* $PEER 22$"
  for i in 1 2 3 4 5; do
    begin=$(now_us)
    ssh "${options[@]}" "root@$PEER" true
    awk -v us=$(($(now_us) - begin)) 'BEGIN { print us / 1000 }'
  done >samples
  latency "$(median <samples)" "5 logins"
  begin=$(now_us)
  scp -q "${options[@]}" "root@$PEER:/tmp/data/big" big
  took "$(stat -c %s big)" $(($(now_us) - begin))
  scp -q "${options[@]}" big "root@$PEER:/tmp/back"
  ssh "${options[@]}" "root@$PEER" 'cmp /tmp/back /tmp/data/big'
  sha big
}
