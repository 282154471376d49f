#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import CLIENT6, SERVER6, conversation, to_client, to_server, write
from scapy.all import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, UDP, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop)

there = dict(source=CLIENT6, destination=SERVER6)
back = dict(source=SERVER6, destination=CLIENT6)
frames = [to_server(ICMPv6ND_NS(tgt=SERVER6), source="fe80::2", destination="ff02::1:ff00:11", hlim=255)]
frames += conversation(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n", client=CLIENT6, server=SERVER6)
frames += [
    to_server(ICMPv6EchoRequest(id=7, seq=1), **there),
    to_client(ICMPv6EchoReply(id=7, seq=1), **back),
    to_server(IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), UDP(sport=4242, dport=53), b"query", **there),
    to_client(UDP(sport=53, dport=4242), b"answer", **back),
]
write(frames)
