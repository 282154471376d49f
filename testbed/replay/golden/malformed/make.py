#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import CLIENT_MAC, SERVER_MAC, to_server, write
from scapy.all import ARP, TCP, UDP, Ether, IPv6, IPv6ExtHdrDestOpt, Raw


def cut(packet, length):
    return Raw(bytes(packet)[:length])


good = to_server(UDP(sport=4242, dport=53), b"fine")
many = IPv6(src="fd01::2", dst="fd01::11")
for _ in range(9):
    many /= IPv6ExtHdrDestOpt()
write([
    good,
    cut(good, 10),                                                 # inside the Ethernet header
    cut(good, 30),                                                 # inside the IP header
    cut(good, 40),                                                 # shorter than its total length
    to_server(Raw(b"abcd"), ihl=4),                                # header length below 20
    to_server(Raw(b"abcd"), ihl=15),                               # and past the packet
    to_server(Raw(b"abcd"), version=5),
    to_server(Raw(b"abcd"), len=10),                               # total length inside the header
    to_server(Raw(b"\0" * 12), proto=6),                           # inside the TCP header
    to_server(Raw(b"\0" * 4), proto=17),                           # inside the UDP header
    Ether(src=CLIENT_MAC, dst=SERVER_MAC) / many / UDP() / b"x",   # too many extension headers
    Ether(src=CLIENT_MAC, dst=SERVER_MAC) / ARP(),                 # not IP: crosses
    to_server(TCP(sport=4242, dport=80, flags="S")),
])
