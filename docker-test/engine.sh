# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
# The Docker engine: the machine's own if it answers, else one of our own (Debian's docker.io) with a private
# folder, which engine_stop ends. Needs root only in the second case.

ENGINE_DIR=${NETCON_ENGINE_DIR:-${TMPDIR:-/tmp}/netcon-docker}
ENGINE_SOCKET=unix://$ENGINE_DIR/docker.sock

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# 0 and DOCKER_HOST set if needed; else a sentence that says why not.
engine_start() {
  if ! command -v docker >/dev/null; then
    echo "the docker command is missing; as root: apt-get install docker.io" >&2
    return 1
  fi
  if engine_answers; then return 0; fi
  export DOCKER_HOST=$ENGINE_SOCKET
  if engine_answers; then return 0; fi
  if [ "$(id -u)" -ne 0 ] || ! command -v dockerd >/dev/null; then
    echo "no Docker engine answers, and none can be started: that needs root and dockerd (apt-get install docker.io)" >&2
    return 1
  fi
  mkdir -p "$ENGINE_DIR"
  setsid dockerd --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" --pidfile "$ENGINE_DIR/pid" \
    -H "$ENGINE_SOCKET" >"$ENGINE_DIR/log" 2>&1 </dev/null 3>&- &
  local deadline=$((SECONDS + 40))
  until engine_answers; do
    if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 $! 2>/dev/null; then
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
  local pid
  pid=$(cat "$ENGINE_DIR/pid")
  kill "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  ENGINE_IS_OURS=
}
