# SPDX-License-Identifier: Apache-2.0
"""TCP connections and HTTP messages as the tricks need them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "replay", "golden"))
from frames import to_client, to_server
from scapy.all import TCP

CASES = {}
WINDOW = 8192  # that Scapy announces


def case(build):
    CASES[build.__name__] = build
    return build


class Connection:
    """A TCP connection. Positions count from the first byte of each side."""

    def __init__(self, handshake=True, **ends):
        self.frames = []
        self.there = dict(ends)
        self.back = {"source": ends["destination"], "destination": ends["source"]} if ends else {}
        self.sent = [0, 0]
        if handshake:
            self.shake_hands()

    def shake_hands(self):
        self.segment(0, -1, flags="S", ack=None)
        self.segment(1, -1, flags="SA")
        self.segment(0, 0)

    def segment(self, side, position, text=b"", flags="A", ack="all", **ip):
        numbers = [1000 + 1, 5000 + 1]
        acknowledged = self.sent[1 - side] if ack == "all" else ack
        tcp = TCP(sport=40000, dport=80) if side == 0 else TCP(sport=80, dport=40000)
        tcp.flags = flags
        tcp.seq = (numbers[side] + position) % 2**32
        tcp.ack = 0 if ack is None else numbers[1 - side] + acknowledged
        for field in ("urgptr", "chksum"):
            if field in ip:
                setattr(tcp, field, ip.pop(field))
        ends = self.there if side == 0 else self.back
        self.frames.append((to_server if side == 0 else to_client)(tcp, text, **ends, **ip))

    def say(self, side, text, size=1400, **fields):
        """In order, and acknowledged, before the window is full at the latest."""
        unheard = 0
        for at in range(0, len(text), size):
            if unheard + size > WINDOW:
                self.segment(1 - side, self.sent[1 - side])
                unheard = 0
            self.segment(side, self.sent[side], text[at:at + size], **fields)
            self.sent[side] += len(text[at:at + size])
            unheard += size
        self.segment(1 - side, self.sent[1 - side])

    def skip(self, side, length):
        """Bytes that took another way."""
        self.sent[side] += length
        self.segment(1 - side, self.sent[1 - side])

    def close(self):
        self.segment(0, self.sent[0], flags="FA")
        self.segment(1, self.sent[1], flags="FA")
        return self.frames


def get(path, *headers):
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: h", *headers, b"", b""]
    return b"\r\n".join(lines)


def answer(body, *headers, status=b"200 OK", length=True):
    lines = [b"HTTP/1.1 " + status, *headers]
    if length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks):
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


def told(*answers, request=get(b"/")):
    """A connection in which the server says so, in small segments."""
    c = Connection()
    for text in answers:
        c.say(0, request)
        c.say(1, text, size=100)
    return c.close()


def asked(text, size=1400):
    c = Connection()
    c.say(0, text, size)
    c.say(1, answer(b"ok"))
    return c.close()
