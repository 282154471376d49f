#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import CLIENT, CLIENT6, SERVER, SERVER6, ip, to_client, to_server, write
from scapy.all import ICMP, UDP, ICMPv6DestUnreach

udp = UDP(sport=4242, dport=9)
quote = ip(CLIENT, SERVER) / udp / b"anybody?"
quote6 = ip(CLIENT6, SERVER6) / udp / b"anybody?"
write([
    to_server(udp.copy(), b"anybody?"),
    to_client(ICMP(type=3, code=3), quote),                                # from the server itself
    to_client(ICMP(type=11, code=0), quote.copy(), source="10.7.0.1"),     # from a router between
    to_server(udp.copy(), b"anybody?", source=CLIENT6, destination=SERVER6),
    to_client(ICMPv6DestUnreach(code=4), quote6, source=SERVER6, destination=CLIENT6),
    # About a flow that nobody knows: a flow of its own.
    to_client(ICMP(type=3, code=1), ip(CLIENT, "10.1.0.99") / UDP(sport=1, dport=2) / b"lost"),
])
