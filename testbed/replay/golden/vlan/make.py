#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import to_client, to_server, write
from scapy.all import UDP, Dot1AD, Dot1Q

frames = []
for port, vlans in ((4001, [Dot1Q(vlan=100, prio=5)]), (4002, [Dot1AD(vlan=7), Dot1Q(vlan=200)])):
    frames.append(to_server(UDP(sport=port, dport=7000), b"ping", vlans=[v.copy() for v in vlans]))
    frames.append(to_client(UDP(sport=7000, dport=port), b"pong", vlans=[v.copy() for v in vlans]))
write(frames)
