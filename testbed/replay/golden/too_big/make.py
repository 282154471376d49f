#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import to_server, write
from scapy.all import UDP

# The tunnel's MTU is 1500: 1432 bytes of IP packet fit with the 68 of encapsulation, one more does not.
write([
    to_server(UDP(sport=4242, dport=9), b"x" * (1432 - 28)),
    to_server(UDP(sport=4242, dport=9), b"x" * (1433 - 28)),
])
