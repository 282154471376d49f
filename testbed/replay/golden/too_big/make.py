#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import CLIENT6, SERVER6, to_client, to_server, write
from scapy.all import UDP, Dot1Q

# The tunnel's MTU is 1500: 1432 bytes of IP packet fit with the 68 of encapsulation, one more does not.
write([
    to_server(UDP(sport=4242, dport=9), b"x" * (1432 - 28)),
    to_server(UDP(sport=4242, dport=9), b"x" * (1433 - 28)),
    # Not to be fragmented: the client is told, and so is the server; over IPv6 always.
    to_server(UDP(sport=4242, dport=9), b"x" * (1433 - 28), flags="DF"),
    to_client(UDP(sport=9, dport=4242), b"x" * (1433 - 28), flags="DF", vlans=(Dot1Q(vlan=7),)),
    to_server(UDP(sport=4242, dport=9), b"x" * (1433 - 48), source=CLIENT6, destination=SERVER6),
])
