#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# git daemon and the rsync daemon: a process per connection, another user, a chroot.

load lib.bash

setup_file() {
  compat_up
  export GIT_CONFIG_GLOBAL=$WORK/gitconfig GIT_CONFIG_NOSYSTEM=1
  cat >"$GIT_CONFIG_GLOBAL" <<'CONF'
[user]
  name = compat
  email = compat@example.invalid
[init]
  defaultBranch = main
CONF
}

@test "git: clone, push and fetch through git daemon" {
  claim git "git daemon" server "as nobody, a process per connection, upload-pack and receive-pack, the client's address in the log"
  claim git git client "clone of 200 commits and an 8 MB file, push and fetch, checked by fsck and object names"
  git init -q "$WORK/first"
  cp "$WORK/www/large" "$WORK/first/"
  git -C "$WORK/first" add large
  for i in $(seq 200); do echo "$i"; done | while read -r i; do
    git -C "$WORK/first" commit -q --allow-empty -m "commit $i" -a
  done
  git clone -q --bare "$WORK/first" "$WORK/git/repo.git"
  chown -R nobody "$WORK/git"
  serve a git git daemon --verbose --user=nobody --group=nogroup --reuseaddr --base-path="$WORK/git" --export-all \
    --enable=receive-pack --listen=0.0.0.0
  wait_for 15 on b git ls-remote "git://$IP_a/repo.git"
  on b git clone -q "git://$IP_a/repo.git" "$WORK/clone"
  [ "$(sum <"$WORK/clone/large")" = "$LARGE_SUM" ]
  git -C "$WORK/clone" fsck --strict
  echo more >"$WORK/clone/more"
  git -C "$WORK/clone" add more
  git -C "$WORK/clone" commit -q -m more
  on b git -C "$WORK/clone" push -q origin main
  on b git -C "$WORK/first" fetch -q "git://$IP_a/repo.git" main
  [ "$(git -C "$WORK/first" rev-parse FETCH_HEAD)" = "$(git -C "$WORK/clone" rev-parse main)" ]
  grep -q "Connection from $IP_b:" "$WORK/git.log"
  off_the_host git
}

@test "rsync: a daemon that changes root and user" {
  claim rsync "rsync daemon" server "chroot and nobody for each connection, the client's address in the log"
  claim rsync rsync client "a tree of 300 files and 8 MB there and back, a second run that moves nothing, one changed block"
  mkdir -p "$WORK/tree" "$WORK/module"
  chown nobody "$WORK/module"
  for i in $(seq 300); do echo "file $i" >"$WORK/tree/$i"; done
  cp "$WORK/www/large" "$WORK/tree/"
  cat >"$WORK/rsyncd.conf" <<CONF
log file = $WORK/rsyncd-own.log
pid file = $WORK/rsyncd.pid
[module]
  path = $WORK/module
  use chroot = yes
  uid = nobody
  read only = no
CONF
  serve a rsyncd rsync --daemon --no-detach --config="$WORK/rsyncd.conf"
  wait_for 15 on b rsync "rsync://$IP_a/module/"
  on b rsync -rt "$WORK/tree/" "rsync://$IP_a/module/"
  diff -r "$WORK/tree" "$WORK/module"
  run on b rsync -rti "$WORK/tree/" "rsync://$IP_a/module/"
  run ! grep -E '[^/]$' <<<"$output"
  printf changed | dd of="$WORK/tree/large" bs=1 seek=4000000 conv=notrunc status=none
  run on b rsync -rtc --stats "$WORK/tree/" "rsync://$IP_a/module/"
  [[ "$output" =~ "Literal data: "[0-9,]{3,6}" bytes" ]]
  on b rsync -rt "rsync://$IP_a/module/" "$WORK/back/"
  diff -r "$WORK/tree" "$WORK/back"
  grep -q "connect from .*($IP_b)" "$WORK/rsyncd-own.log"
  off_the_host rsyncd
}
