#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import CLIENT6, SERVER6, conversation, to_client, to_server, write
from scapy.all import UDP

there = dict(source=CLIENT6, destination=SERVER6)
frames = conversation(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")
frames += conversation(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n", client=CLIENT6, server=SERVER6)
frames += [
    to_server(UDP(sport=4242, dport=9), b"x" * (1412 - 28), flags="DF"),
    to_server(UDP(sport=4242, dport=9), b"x" * (1413 - 28)),
    to_server(UDP(sport=4242, dport=9), b"x" * (1413 - 28), flags="DF"),
    to_server(UDP(sport=4242, dport=9), b"x" * (1412 - 48), **there),
    to_server(UDP(sport=4242, dport=9), b"x" * (1413 - 48), **there),
    to_server(UDP(sport=4242, dport=53), b"query"),
    to_client(UDP(sport=53, dport=4242), b"answer"),
]
write(frames)
