#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import to_client, to_server, write
from scapy.all import UDP

LISTENER = "10.1.0.100"
frames = []
for port in (5001, 5002, 5003):
    frames.append(to_server(UDP(sport=port, dport=7000), b"ping", destination=LISTENER))
    frames.append(to_client(UDP(sport=7000, dport=port), b"pong", source=LISTENER))
# Past the listener: another port, and a fragment, which cannot be translated.
frames.append(to_server(UDP(sport=5004, dport=7001), b"ping", destination=LISTENER))
write(frames)
