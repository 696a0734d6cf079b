# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
# The Docker engine: the machine's own if it answers, else one of our own (Debian's docker.io) with a private
# folder, which engine_stop ends. Needs root only in the second case.
#
# Our own engine runs in a network namespace of its own: bridges, firewall rules and a swarm are invisible to
# the machine and to other engines. Only to build images (engine_start build) it is in the machine's, because
# Debian's mirror may be reached only from there; then it has no bridge and touches no firewall.
# One run at a time uses a folder; another one waits for it. NETCON_ENGINE_DIR or TMPDIR chooses another folder.

ENGINE_DIR=${NETCON_ENGINE_DIR:-${TMPDIR:-/tmp}/netcon-docker}
ENGINE_SOCKET=unix://$ENGINE_DIR/docker.sock
ENGINE_PATIENCE=3600 # seconds that a run waits for another one

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Ends the engine of $ENGINE_DIR, if one runs: ours, or what a killed run left.
engine_end() {
  local pid
  pid=$(cat "$ENGINE_DIR/pid" 2>/dev/null) || return 0
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || return 0
  kill "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

# dockerd as a child of nobody; its pid is the shell's that becomes it. $1: build or run.
engine_launch() {
  local command=(dockerd --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" --pidfile "$ENGINE_DIR/pid" -H "$ENGINE_SOCKET")
  if [ "$1" = build ]; then
    command+=(--bridge none --iptables=false --ip6tables=false)
  else
    # shellcheck disable=SC2016  # expanded over there
    command=(unshare --net sh -c 'ip link set lo up; exec "$@"' sh "${command[@]}")
  fi
  # Not the lock's descriptor, nor what bats holds as 3.
  setsid "${command[@]}" >"$ENGINE_DIR/log" 2>&1 </dev/null 3>&- {ENGINE_LOCK}>&- &
  ENGINE_PID=$!
  disown # no job of ours: `wait` is for tests
}

# engine_start build|run: 0 and DOCKER_HOST set if needed; else a sentence that says why not.
engine_start() {
  if ! command -v docker >/dev/null; then
    echo "the docker command is missing; as root: apt-get install docker.io" >&2
    return 1
  fi
  if engine_answers; then return 0; fi
  if [ "$(id -u)" -ne 0 ] || ! command -v dockerd >/dev/null; then
    echo "no Docker engine answers, and none can be started: that needs root and dockerd (apt-get install docker.io)" >&2
    return 1
  fi
  mkdir -p "$ENGINE_DIR"
  exec {ENGINE_LOCK}>"$ENGINE_DIR/lock"
  if ! flock -n "$ENGINE_LOCK"; then
    echo "another run uses the engine in $ENGINE_DIR: waiting for it" >&2
    flock -w "$ENGINE_PATIENCE" "$ENGINE_LOCK" || return 1
  fi
  engine_end
  export DOCKER_HOST=$ENGINE_SOCKET
  engine_launch "$1"
  local deadline=$((SECONDS + 40))
  until engine_answers; do
    if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$ENGINE_PID" 2>/dev/null; then
      echo "dockerd does not start here; the end of $ENGINE_DIR/log:" >&2
      tail -n 3 "$ENGINE_DIR/log" >&2
      return 1
    fi
    sleep 0.2
  done
  ENGINE_IS_OURS=yes
}

# Ends the engine that engine_start started; its images stay for the next time.
engine_stop() {
  [ "${ENGINE_IS_OURS:-}" = yes ] || return 0
  engine_end
  exec {ENGINE_LOCK}>&-
  unset DOCKER_HOST
  ENGINE_IS_OURS=
}
