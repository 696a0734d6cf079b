#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A DNS server for tests, UDP and TCP: dns_server.py ADDRESS [LOG]. What it knows is below; other names are
NXDOMAIN. It logs each question as "udp|tcp NAME TYPE"."""
import socket
import struct
import sys
import threading

A, NS, CNAME, PTR, TXT, AAAA = 1, 2, 5, 12, 16, 28
ZONE = {
    "www.test.lan": [(A, "10.77.0.200"), (A, "10.77.0.201")],
    "web.test.lan": [(A, None)],  # this server's own address
    "six.test.lan": [(AAAA, "fd55::1234")],
    "both.test.lan": [(A, "10.77.0.210"), (AAAA, "fd55::210")],
    "alias.test.lan": [(CNAME, "www.test.lan")],
    "text.test.lan": [(TXT, "hello world")],
    "big.test.lan": [(TXT, "x" * 250 + str(i)) for i in range(20)],
    "many.test.lan": [(A, "10.77.1.%d" % i) for i in range(1, 61)],
    "200.0.77.10.in-addr.arpa": [(PTR, "www.test.lan")],
}
SILENT, BROKEN = "silent.test.lan", "broken.test.lan"


def name_bytes(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def read_name(message, at):
    parts = []
    while message[at]:
        parts.append(message[at + 1:at + 1 + message[at]].decode().lower())
        at += 1 + message[at]
    return ".".join(parts), at + 1


def data_of(kind, value, own):
    if kind == A:
        return socket.inet_aton(value or own)
    if kind == AAAA:
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == TXT:
        return bytes([len(value)]) + value.encode()
    return name_bytes(value)


def answer(message, own, log, way):
    ident, flags, _, _, _, _ = struct.unpack("!6H", message[:12])
    name, at = read_name(message, 12)
    kind, _ = struct.unpack("!2H", message[at:at + 4])
    question = message[12:at + 4]
    log.write("%s %s %d\n" % (way, name, kind))
    log.flush()
    if name == SILENT:
        return None
    records, owner, seen = [], name, ZONE.get(name)
    while seen and seen[0][0] == CNAME and kind != CNAME:
        records.append((owner, CNAME, seen[0][1]))
        owner = seen[0][1]
        seen = ZONE.get(owner)
    records += [(owner, k, v) for k, v in seen or [] if k == kind]
    code = 2 if name == BROKEN else 0 if name in ZONE else 3
    body = b"".join(name_bytes(o) + struct.pack("!2HIH", k, 1, 60, len(data_of(k, v, own))) + data_of(k, v, own)
                    for o, k, v in records)
    count = len(records)
    truncated = way == "udp" and 12 + len(question) + len(body) > 1200
    if truncated:
        body, count = b"", 0
    head = struct.pack("!6H", ident, 0x8180 | (0x200 if truncated else 0) | code, 1, count, 0, 0)
    return head + question + body


def serve_tcp(listener, own, log):
    while True:
        connection, _ = listener.accept()
        with connection:
            while True:
                size = connection.recv(2, socket.MSG_WAITALL)
                if len(size) < 2:
                    break
                reply = answer(connection.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL), own, log, "tcp")
                if reply:
                    connection.sendall(struct.pack("!H", len(reply)) + reply)


def main():
    own = sys.argv[1]
    log = open(sys.argv[2] if len(sys.argv) > 2 else "/dev/null", "a", encoding="ascii")
    listener = socket.create_server((own, 53))
    threading.Thread(target=serve_tcp, args=(listener, own, log), daemon=True).start()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((own, 53))
    while True:
        message, peer = udp.recvfrom(4096)
        reply = answer(message, own, log, "udp")
        if reply:
            udp.sendto(reply, peer)


main()
