#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed inputs of the fuzz targets of tunnels/, one file per shape of packet."""
import pathlib

from scapy.all import (AH, GRE, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6DestUnreach, ICMPv6EchoRequest,
                       ICMPv6ND_NS, IPOption_Router_Alert, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
                       IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Raw, raw)

HERE = pathlib.Path(__file__).parent
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
IP4 = IP(src="10.0.0.1", dst="10.0.0.2", id=1)
IP6 = IPv6(src="fd01::1", dst="fd01::2")
SYN = TCP(sport=1000, dport=80, flags="S")
QUERY = UDP(sport=4242, dport=53) / Raw(b"query")

PACKETS = {
    "tcp4": ETHER / IP4 / SYN,
    "udp4_vlan": ETHER / Dot1Q(vlan=100) / IP4 / QUERY,
    "udp4_two_vlans": ETHER / Dot1AD(vlan=7) / Dot1Q(vlan=100) / IP4 / QUERY,
    "tcp4_options": ETHER / IP(src="10.0.0.1", dst="10.0.0.2", id=1, options=[IPOption_Router_Alert()]) / SYN,
    "fragment4": ETHER / IP(src="10.0.0.1", dst="10.0.0.2", id=1, flags="MF", frag=2, proto=17) / Raw(b"x" * 16),
    "gre4": ETHER / IP4 / GRE() / Raw(b"x" * 8),
    "icmp4_error": ETHER / IP(src="192.0.2.9", dst="10.0.0.1", id=1) / ICMP(type=3, code=4) / IP4 / SYN,
    "tcp6": ETHER / IP6 / SYN,
    "extensions6": ETHER / IP6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / IPv6ExtHdrDestOpt() / QUERY,
    "ah6": ETHER / IP6 / AH(spi=1, seq=1, icv=b"x" * 12) / SYN,
    "fragment6": ETHER / IP6 / IPv6ExtHdrFragment(m=1, id=1, nh=17) / Raw(bytes(QUERY)),
    "atomic6": ETHER / IP6 / IPv6ExtHdrFragment(id=1, nh=6) / Raw(bytes(SYN)),
    "echo6": ETHER / IP6 / ICMPv6EchoRequest(),
    "neighbour6": ETHER / IPv6(src="fd01::1", dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt="fd01::2"),
    "icmp6_error": ETHER / IPv6(src="fd01::9", dst="fd01::1") / ICMPv6DestUnreach() / IP6 / SYN,
    "bare4": IP4 / SYN,
    "bare6": IP6 / QUERY,
}

BASE = "00080000000000"
ENDPOINT = "010801022b8ee1d4db0c51c4"
ATTACHMENT = "010802020000000000000000"
COOKIE = "01080301c00c1e01"
GENEVE = {
    "example": "08" + BASE + ENDPOINT + ATTACHMENT + COOKIE + "45000014",
    "other_order": "08" + BASE + COOKIE + ATTACHMENT + ENDPOINT,
    "unknown_option": "0a" + BASE + ENDPOINT + "0109010101020304" + ATTACHMENT + COOKIE,
    "critical_option": "09" + BASE + ENDPOINT + ATTACHMENT + COOKIE + "01098100",
    "twice": "0a" + BASE + COOKIE + ENDPOINT + ATTACHMENT + COOKIE,
    "missing": "06" + BASE + ENDPOINT + ATTACHMENT,
    "google": "08" + BASE + "01320101a1b2c341" + "0132020200000000a1b2c3d4" + "013203020000000000000009",
    "plain": "00000800a1b2c300" + "45000014",
    "control": "0880" + BASE[2:] + ENDPOINT + ATTACHMENT + COOKIE,
}


def write(folder, name, content):
    (HERE / folder).mkdir(exist_ok=True)
    (HERE / folder / name).write_bytes(content)


for packet_name, packet in PACKETS.items():
    write("packet", packet_name, raw(packet))
for header_name, header in GENEVE.items():
    write("geneve", header_name, bytes.fromhex(header))
