#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import CLIENT6, SERVER6, to_client, to_server, write
from scapy.all import UDP, IPv6ExtHdrFragment, Raw, fragment, fragment6

# A DNS-like question whose answer comes in fragments, over IPv4 and over IPv6.
frames = [to_server(UDP(sport=4242, dport=53), b"a long answer, please", id=1)]
frames += fragment(to_client(UDP(sport=53, dport=4242), b"x" * 3000, id=2), fragsize=1400)
there = dict(source=CLIENT6, destination=SERVER6)
back = dict(source=SERVER6, destination=CLIENT6)
frames.append(to_server(UDP(sport=4242, dport=53), b"a long answer, please", **there))
whole = to_client(IPv6ExtHdrFragment(id=3), UDP(sport=53, dport=4242), Raw(b"y" * 3000), **back)
frames += fragment6(whole, 1294)
write(frames)
