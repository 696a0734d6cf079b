#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2016  # IP_x, LARGE_SUM: exported by compat_up; JavaScript's variables
# node: http alone and in a cluster (connections or listeners passed to workers), net and dgram.

load lib.bash

setup_file() {
  compat_up
  cat >"$WORK/client.js" <<'JS'
// Requests over keep-alive connections, 20 at a time: which workers answered, and what went wrong.
const http = require('http');
const [host, port, count] = [process.argv[2], +process.argv[3], +process.argv[4]];
const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
const fresh = new http.Agent({ keepAlive: false, maxSockets: 20 });
const pids = new Set();
let left = count, bad = 0;
function done() { if (--left === 0) { agent.destroy(); console.log(`${count - bad} answers, ${pids.size} workers`); } }
for (let i = 0; i < count; i++) {
  http.get({ host, port, path: `/${i}`, agent: i % 2 ? agent : fresh }, (reply) => {
    let text = '';
    reply.on('data', (piece) => { text += piece; });
    reply.on('end', () => { const [path, peer, pid] = text.split(' ');
      if (path !== `/${i}` || peer !== process.argv[5]) { bad++; console.log(text); } else pids.add(pid); done(); });
  }).on('error', (e) => { console.log(e.code); bad++; done(); });
}
JS
  cat >"$WORK/server.js" <<'JS'
const cluster = require('cluster'), http = require('http');
const workers = +process.argv[3];
if (workers > 0 && cluster.isPrimary) {
  let up = 0;
  cluster.on('listening', () => { if (++up === workers) console.log('ready'); });
  for (let i = 0; i < workers; i++) cluster.fork();
} else {
  http.createServer((q, r) => r.end(`${q.url} ${q.socket.remoteAddress} ${process.pid}`))
    .listen(+process.argv[2], process.argv[4], () => { if (workers === 0) console.log('ready'); });
}
JS
  # The package's name differs with its source.
  export NODE
  NODE=$(command -v node || true)
}

@test "node: http, server and client" {
  claim nodejs "node (http)" server "http server on the dual-stack socket, 400 requests, the client's address"
  claim nodejs "node (http)" client "http.get with and without keep-alive, 20 connections at a time"
  serve a http "$NODE" "$WORK/server.js" 8080 0
  wait_for 20 grep -q ready "$WORK/http.log"
  run on b "$NODE" "$WORK/client.js" "$IP_a" 8080 400 "::ffff:$IP_b"
  [ "$output" = "400 answers, 1 workers" ]
  run on b "$NODE" "$WORK/client.js" "$IP6_a" 8080 400 "$IP6_b"
  [ "$output" = "400 answers, 1 workers" ]
  run on b "$NODE" "$WORK/client.js" "$IP_a" 8079 1 "$IP_b"
  [ "$output" = $'ECONNREFUSED\n0 answers, 0 workers' ]
  off_the_host http
}

@test "node: cluster, connections handed out by the primary" {
  claim nodejs "node (cluster)" server "two workers that get accepted connections by descriptor passing, and two that share a listener (NODE_CLUSTER_SCHED_POLICY=none)"
  serve a cluster "$NODE" "$WORK/server.js" 8081 2 0.0.0.0
  wait_for 20 grep -q ready "$WORK/cluster.log"
  run on b "$NODE" "$WORK/client.js" "$IP_a" 8081 400 "$IP_b"
  [ "$output" = "400 answers, 2 workers" ]
  off_the_host cluster
}

@test "node: cluster, a listener shared by the workers" {
  claim nodejs "node (cluster)" server "two workers that get accepted connections by descriptor passing, and two that share a listener (NODE_CLUSTER_SCHED_POLICY=none)"
  serve a shared env NODE_CLUSTER_SCHED_POLICY=none "$NODE" "$WORK/server.js" 8082 2 0.0.0.0
  wait_for 20 grep -q ready "$WORK/shared.log"
  run on b "$NODE" "$WORK/client.js" "$IP_a" 8082 400 "$IP_b"
  [[ "$output" == "400 answers, "[12]" workers" ]]
  off_the_host shared
}

@test "node: net and dgram" {
  claim nodejs "node (net, dgram)" server "net server that echoes a half-closed stream of 8 MB; dgram server"
  claim nodejs "node (net, dgram)" client "8 MB through a pipe() under back-pressure, checked by SHA-256; 20 datagrams with replies"
  serve a echo "$NODE" -e '
require("net").createServer({ allowHalfOpen: true }, (c) => c.pipe(c)).listen(9000, "0.0.0.0", () => {
  const d = require("dgram").createSocket("udp4");
  d.on("message", (m, from) => d.send(m + from.address, from.port, from.address));
  d.bind(9000, () => console.log("ready"));
});'
  wait_for 20 grep -q ready "$WORK/echo.log"
  run on b "$NODE" -e '
const fs = require("fs"), hash = require("crypto").createHash("sha256");
const c = require("net").connect({ host: process.argv[1], port: 9000, allowHalfOpen: true });
c.on("data", (d) => hash.update(d));
c.on("end", () => console.log(hash.digest("hex")));
fs.createReadStream(process.argv[2]).pipe(c);' "$IP_a" "$WORK/www/large"
  [ "$output" = "$LARGE_SUM" ]
  run on b "$NODE" -e '
const d = require("dgram").createSocket("udp4"), got = new Set();
const timer = setInterval(ask, 1000);  // datagrams may be lost
function ask() { for (let i = 0; i < 20; i++) if (!got.has(`q${i}${process.argv[2]}`)) d.send(`q${i}`, 9000, process.argv[1]); }
d.on("message", (m) => { got.add(String(m)); if (got.size === 20) { console.log([...got].sort()[19]); clearInterval(timer); d.close(); } });
ask();' "$IP_a" "$IP_b"
  [ "$output" = "q9$IP_b" ]
  off_the_host echo
}
