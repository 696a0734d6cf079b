#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A successor that is not as it should be (tests/e2e/restart.bats puts it in the program's place).

TRIAL says how: `old` does not know the format, `hang` says HELLO and no more, `exit` ends after
HELLO, `abi` runs $TRIAL_PROGRAM and changes the ABI of the stack that it names.
The messages are those of service/handover.h.
"""
import array
import os
import select
import socket
import struct
import sys

MAGIC, HELLO = 0x5A54484F, 1
FORMAT = "=IIQQQ256s"


def hello(format_number):
    return struct.pack(FORMAT, MAGIC, HELLO, format_number, 3, os.getpid(), b"trial\0")


def relay(source, sink, change):
    """One message with its descriptors; False at the end."""
    data, ancillary, _, _ = source.recvmsg(4096, socket.CMSG_SPACE(4 * 256))
    if not data:
        return False
    fds = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    sink.sendmsg(
        [change(data)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
    )
    for fd in fds:
        os.close(fd)
    return True


def other_abi(data):
    fields = list(struct.unpack(FORMAT, data))
    if fields[1] == HELLO:
        fields[3] += 1
    return struct.pack(FORMAT, *fields)


def relay_all(ours, theirs):
    while True:
        for ready in select.select([ours, theirs], [], [])[0]:
            other = theirs if ready is ours else ours
            if not relay(ready, other, other_abi if ready is theirs else bytes):
                return


predecessor = socket.socket(fileno=4)
mode = os.environ["TRIAL"]
if mode == "abi":
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        theirs.close()
        relay_all(predecessor, ours)
        os._exit(0)
    ours.close()
    os.dup2(theirs.fileno(), 4)
    os.set_inheritable(3, True)
    os.execv(os.environ["TRIAL_PROGRAM"], sys.argv)
predecessor.send(hello(0 if mode == "old" else 1))
if mode == "hang":
    select.select([], [], [])
