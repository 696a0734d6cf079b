#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A home router in one small program: NAT-PMP, UPnP, and the forwarding that they ask for.

usage: fake_gateway.py LAN_IP EXTERNAL_IP LOG PROTOCOL...    protocols: natpmp upnp hostile
Prints "ready" once it listens. Each order is one line of LOG. `hostile` answers UPnP searches with
descriptions that point elsewhere and NAT-PMP with garbage; nothing is granted.
"""
import re
import select
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

LAN, EXTERNAL, LOG = sys.argv[1:4]
NEIGHBOUR = LAN.rsplit(".", 1)[0] + ".9"  # another host of the LAN; hostile only
PROTOCOLS = set(sys.argv[4:])
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
DEVICE = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
mappings = {}  # external port -> (socket, client)


def log(line):
    with open(LOG, "a", encoding="ascii") as out:
        out.write(line + "\n")


def forward(port, client):
    """UDP to EXTERNAL:port goes to the client and back, one inner socket per sender."""
    outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outer.bind((EXTERNAL, port))
    mappings[port] = (outer, client)

    def run():
        inner = {}
        while port in mappings:
            for s in select.select([outer, *inner.values()], [], [], 0.5)[0]:
                if s is outer:
                    data, sender = outer.recvfrom(65536)
                    if sender not in inner:
                        inner[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        inner[sender].bind((LAN, 0))
                    inner[sender].sendto(data, mappings[port][1])
                else:
                    data = s.recv(65536)
                    outer.sendto(data, next(k for k, v in inner.items() if v is s))

    threading.Thread(target=run, daemon=True).start()


def grant(port, client):
    """Forward `port` or, if another has it, the next free one."""
    while port in mappings and mappings[port][1] != client:
        port += 1
    if port not in mappings:
        forward(port, client)
    return port


def revoke(client):
    for port in [p for p, (_, c) in mappings.items() if c == client]:
        del mappings[port]


def natpmp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((LAN, 5351))
    while True:
        data, client = s.recvfrom(64)
        if "hostile" in PROTOCOLS:
            log("natpmp garbage")
            s.sendto(b"\xff" * 3, client)
        elif data[:2] == b"\0\0":
            log("natpmp address")
            s.sendto(struct.pack("!BBHI4s", 0, 128, 0, 1, socket.inet_aton(EXTERNAL)), client)
        elif data[:2] == b"\0\1" and len(data) == 12:
            inner, outer, lifetime = struct.unpack("!HHI", data[4:])
            if lifetime == 0:
                revoke((client[0], inner))
                log(f"natpmp unmap {inner}")
            else:
                outer = grant(outer or inner, (client[0], inner))
                log(f"natpmp map {inner} {outer} {lifetime}")
            s.sendto(struct.pack("!BBHIHHI", 0, 129, 0, 1, inner, outer, lifetime), client)


class Upnp(BaseHTTPRequestHandler):
    def log_message(self, format, *args):
        pass

    def answer(self, status, body):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        log("upnp description")
        # A hostile description sends its reader to another host.
        control = f"http://{NEIGHBOUR}:5000/control" if "hostile" in PROTOCOLS else "/control"
        self.answer(200, f"""<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">
<device><deviceType>{DEVICE}</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service>
<serviceType>{SERVICE}</serviceType><controlURL>{control}</controlURL><SCPDURL>/scpd</SCPDURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>""")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        action = re.search(r"#(\w+)", self.headers["SOAPAction"]).group(1)
        field = lambda name: re.search(f"<{name}>([^<]*)<", body).group(1)
        inside = ""
        if action == "GetExternalIPAddress":
            inside = f"<NewExternalIPAddress>{EXTERNAL}</NewExternalIPAddress>"
        elif action == "AddPortMapping":
            outer, lease = int(field("NewExternalPort")), int(field("NewLeaseDuration"))
            client = (field("NewInternalClient"), int(field("NewInternalPort")))
            if lease != 0:  # as many routers do
                return self.fault(725)
            if outer in mappings and mappings[outer][1] != client:
                return self.fault(718)
            grant(outer, client)
            log(f"upnp map {client[1]} {outer} {lease}")
        elif action == "DeletePortMapping":
            outer = int(field("NewExternalPort"))
            mappings.pop(outer, None)
            log(f"upnp unmap {outer}")
        self.answer(200, f"""<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
<s:Body><u:{action}Response xmlns:u="{SERVICE}">{inside}</u:{action}Response></s:Body></s:Envelope>""")

    def fault(self, code):
        log(f"upnp fault {code}")
        self.answer(500, f"""<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
<s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>
<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{code}</errorCode>
<errorDescription>no</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>""")


def ssdp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", 1900))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                 socket.inet_aton("239.255.255.250") + socket.inet_aton(LAN))
    places = [f"http://{LAN}:5000/root.xml"]
    if "hostile" in PROTOCOLS:  # not near, no address, no scheme
        places += [f"http://{EXTERNAL}:5000/root.xml", "http://example.test/root.xml", "file:///etc/passwd"]
    while True:
        data, client = s.recvfrom(2048)
        if data.startswith(b"M-SEARCH"):
            log("upnp search")
            for place in places:
                s.sendto((f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=60\r\nEXT:\r\nLOCATION: {place}\r\n"
                          f"SERVER: fake UPnP/1.1\r\nST: {DEVICE}\r\nUSN: uuid:1::{DEVICE}\r\n\r\n").encode(), client)


class Elsewhere(Upnp):
    """What is at the external address, and at the neighbour's: nobody may come here."""

    def do_GET(self):
        log("ELSEWHERE")
        self.answer(404, "")

    do_POST = do_GET


threads = []
if PROTOCOLS & {"natpmp", "hostile"}:
    threads.append(natpmp)
if PROTOCOLS & {"upnp", "hostile"}:
    threads += [ssdp, HTTPServer((LAN, 5000), Upnp).serve_forever]
if "hostile" in PROTOCOLS:
    threads += [HTTPServer((ip, 5000), Elsewhere).serve_forever for ip in (EXTERNAL, NEIGHBOUR)]
for target in threads:
    threading.Thread(target=target, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
