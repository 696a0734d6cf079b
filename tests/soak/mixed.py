# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Mixed load between two virtual hosts until a deadline, with kill -9 at random.

usage: mixed.py SECONDS SEED      NETWORK_A, NETWORK_B, IP_A, WORK: of soak.sh

On a: nginx, redis-server, iperf3 -s, an echo server (TCP and UDP). On b: several clients of each at any
time, among them storms of connections that end in every way a connection can. What is killed is a
process group that was started here; a server that was killed is started again. A client counts as failed
if neither it nor its server was killed and it says that something was wrong. Prints a table; exit 1 if
any failed.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.environ["BIN"] + "/libzerotierintercept.so"
WORK = os.environ["WORK"]
IP_A = os.environ["IP_A"]
CLIENTS = 5  # at a time: more than the cores, so that they meet
KILL_EVERY_S = (1.0, 4.0)
ENDURE_S = 60  # a client that is longer at it than its own end and this is stuck

NGINX_CONF = f"""
worker_processes 2; pid {WORK}/nginx.pid; error_log {WORK}/nginx.error; daemon off;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; client_body_temp_path {WORK}/n1; proxy_temp_path {WORK}/n2;
  fastcgi_temp_path {WORK}/n3; uwsgi_temp_path {WORK}/n4; scgi_temp_path {WORK}/n5;
  server {{ listen 80 reuseport; root {WORK}/www; }} }}
"""


def environment(host):
    env = dict(os.environ, LD_PRELOAD=LIB, ZT_NC_NETWORK=os.environ["NETWORK_" + host])
    env["PATH"] = env["PATH"] + ":/usr/sbin"
    return env


class Program:
    """A process group of its own, that can be killed without asking."""

    count = 0

    def __init__(self, host, kind, command):
        Program.count += 1
        self.kind, self.command, self.was_hit = kind, command, False
        self.log = f"{WORK}/{kind}.{Program.count}.log"
        self.started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, env=environment(host), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)

    def kill(self):
        self.was_hit = True
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()


def servers():
    own = [sys.executable, "-I", f"{HERE}/echo.py"]
    return {
        "nginx": ["nginx", "-e", f"{WORK}/nginx.error", "-c", f"{WORK}/nginx.conf"],
        "redis": ["redis-server", "--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no",
                  "--save", "", "--daemonize", "no"],
        "iperf3": ["iperf3", "-s", "-p", "5201"],
        "echo": [*own, "serve", "7000"],
    }


def clients(rng):
    """kind -> (server, command); every one ends by itself within some seconds."""
    own = [sys.executable, "-I", f"{HERE}/echo.py"]
    seed = str(rng.randrange(1 << 30))
    return {
        "wrk": ("nginx", ["wrk", "-t1", "-c20", "-d3s", "--timeout", "20s", f"http://{IP_A}/page"]),
        "fetch": ("nginx", ["curl", "-sS", "--fail", "--noproxy", "*", "--max-time", "50", "-o", "/dev/null",
                            f"http://{IP_A}/file"]),
        "redis-benchmark": ("redis", ["redis-benchmark", "-h", IP_A, "-q", "-n", "4000", "-c", "20",
                                      "-t", "set,get,lpush"]),
        "iperf3-tcp": ("iperf3", ["iperf3", "-c", IP_A, "-t", "3", *rng.choice([[], ["-R"], ["-P", "4"]])]),
        "iperf3-udp": ("iperf3", ["iperf3", "-c", IP_A, "-u", "-b", "20M", "-t", "3"]),
        "storm": ("echo", [*own, "storm", IP_A, "7000", seed]),
        "udp": ("echo", [*own, "udp", IP_A, "7000", seed]),
    }


def wrong(program):
    """What the client says was wrong, or None."""
    text = program.text()
    if program.kind.startswith("iperf3") and "server is busy" in text:
        return None  # with one that was killed a moment ago
    if program.process.returncode != 0:
        return f"status {program.process.returncode}"
    for sign in ("Socket errors", "Non-2xx", "Error:"):
        if sign in text:
            return sign
    return None


class Load:
    def __init__(self, seconds, seed):
        self.rng = random.Random(seed)
        self.deadline = time.monotonic() + seconds
        self.next_kill = 0.0
        self.servers, self.clients = {}, []
        self.commands = servers()
        self.table = {}  # kind -> [finished, killed, failed]

    def run(self):
        for name in self.commands:
            self.start_server(name)
        try:
            while time.monotonic() < self.deadline:
                self.turn()
        finally:
            for program in self.clients + list(self.servers.values()):
                program.kill()

    def start_server(self, name):
        self.servers[name] = Program("A", "server-" + name, self.commands[name])
        self.wait_ready(name)

    def wait_ready(self, name):
        """Until it accepts; asked from b, as its clients will."""
        port = {"nginx": 80, "redis": 6379, "iperf3": 5201, "echo": 7000}[name]
        ask = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"
        end = time.monotonic() + 60
        while subprocess.run([sys.executable, "-I", "-c", ask, IP_A, str(port)], env=environment("B"),
                             stderr=subprocess.DEVNULL, check=False).returncode != 0:
            if time.monotonic() > end or self.servers[name].process.poll() is not None:
                raise SystemExit(f"soak: {name} does not start: {self.servers[name].text()}")

    def turn(self):
        while len(self.clients) < CLIENTS:
            kinds = clients(self.rng)
            if any(c.kind.startswith("iperf3") for c in self.clients):
                kinds = {k: v for k, v in kinds.items() if v[0] != "iperf3"}  # one at a time is its own rule
            kind = self.rng.choice(sorted(kinds))
            server, command = kinds[kind]
            program = Program("B", kind, command)
            program.server = self.servers[server]
            self.clients.append(program)
        try: # a while, or until the oldest ends
            self.clients[0].process.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
        for program in list(self.clients):
            if program.process.poll() is not None:
                self.finish(program)
            elif time.monotonic() > program.started + ENDURE_S:
                print(f"soak: {program.kind} is stuck: {' '.join(program.command)}")
                program.kill()
                program.was_hit = False
                self.finish(program)
        if time.monotonic() >= self.next_kill:
            self.kill_one()
            self.next_kill = time.monotonic() + self.rng.uniform(*KILL_EVERY_S)

    def finish(self, program):
        self.clients.remove(program)
        row = self.table.setdefault(program.kind, [0, 0, 0])
        if program.was_hit or program.server.was_hit:
            row[1] += 1
        elif (why := wrong(program)) is not None:
            row[2] += 1
            print(f"soak: {program.kind} failed ({why}): {program.text()[-600:]}", flush=True)
        else:
            row[0] += 1
        os.unlink(program.log)

    def kill_one(self):
        if self.rng.random() < 0.25:
            name = self.rng.choice(sorted(self.servers))
            self.servers[name].kill()
            os.unlink(self.servers[name].log)
            self.table.setdefault("server-" + name, [0, 0, 0])[1] += 1
            self.start_server(name)
        elif self.clients:
            self.rng.choice(self.clients).kill()

    def report(self):
        print(f"{'':18}{'finished':>10}{'killed':>10}{'failed':>10}")
        for kind, row in sorted(self.table.items()):
            print(f"{kind:18}" + "".join(f"{n:10}" for n in row))
        return sum(row[2] for row in self.table.values())


def main():
    os.makedirs(f"{WORK}/www", exist_ok=True)
    with open(f"{WORK}/www/page", "w") as page:
        page.write("x" * 3000)
    with open(f"{WORK}/www/file", "wb") as file:
        file.write(os.urandom(4_000_000))
    with open(f"{WORK}/nginx.conf", "w") as conf:
        conf.write(NGINX_CONF)
    for name in ("nginx", "redis-server", "redis-benchmark", "iperf3", "wrk", "curl"):
        if not shutil.which(name, path=environment("A")["PATH"]):
            raise SystemExit(f"soak: {name} is missing: scripts/install-packages.sh test")
    load = Load(float(sys.argv[1]), int(sys.argv[2]))
    load.run()
    sys.exit(1 if load.report() else 0)


main()
