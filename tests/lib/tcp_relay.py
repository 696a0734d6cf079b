#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A TCP relay for tests (vl1 18): one UDP socket for each client.

usage: tcp_relay.py ADDRESS PORT   prints a line for each client; ends with SIGTERM
"""
import ipaddress
import selectors
import socket
import struct
import sys

RECORD = b"\x17\x03\x03"


class Client:
    def __init__(self, tcp, local):
        self.tcp, self.buffer = tcp, b""
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((local, 0))
        self.udp.setblocking(False)

    def from_client(self):
        data = self.tcp.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.buffer += data
        while len(self.buffer) >= 5:
            if self.buffer[:3] != RECORD:
                raise ConnectionError("no record")
            length = struct.unpack(">H", self.buffer[3:5])[0]
            if len(self.buffer) < 5 + length:
                break
            body, self.buffer = self.buffer[5:5 + length], self.buffer[5 + length:]
            if length == 4:
                self.tcp.sendall(RECORD + b"\x00\x04" + body)  # its greeting, back
            elif body[0] == 4:
                address = str(ipaddress.IPv4Address(body[1:5]))
                self.udp.sendto(body[7:], (address, struct.unpack(">H", body[5:7])[0]))

    def from_network(self):
        packet, (address, port) = self.udp.recvfrom(65536)
        body = b"\x04" + ipaddress.IPv4Address(address).packed + struct.pack(">H", port) + packet
        self.tcp.sendall(RECORD + struct.pack(">H", len(body)) + body)


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    listener = socket.create_server((address, port))
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ, None)
    print("listening", flush=True)
    while True:
        for key, _ in ready.select():
            if key.data is None:
                tcp, peer = listener.accept()
                client = Client(tcp, address)
                print("client", peer[1], flush=True)
                ready.register(tcp, selectors.EVENT_READ, (client, client.from_client))
                ready.register(client.udp, selectors.EVENT_READ, (client, client.from_network))
                continue
            client, action = key.data
            try:
                action()
            except OSError as error:
                if client.udp.fileno() >= 0 and action == client.from_network and not isinstance(error, ConnectionError):
                    continue
                print("gone", error, flush=True)
                ready.unregister(client.tcp)
                ready.unregister(client.udp)
                client.tcp.close()
                client.udp.close()
                break


main()
