#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody on the appliances' switch who wants packets into the network: forged, broken and repeated GENEVE datagrams.
Each kind ends in its own counter, to the last one, and none of their packets is seen at either end.

  client -- out0 [gateway] in0 -- apps (switch) -- echo
                   gen0 -- fabric (switch) -- ids1, ids2, attacker 10.9.0.66
"""
import json
import os
import socket
import struct

import harness
from harness import becomes, expect, wait_for

ATTACKER = """    - name: attacker
      interfaces: [{name: eth0, switch: fabric, addresses: [10.9.0.66/24]}]
    - name: app1
"""
LAB = harness.Lab("testbed/lab/demo.yaml", [("    - name: app1\n", ATTACKER)])
GATEWAY = "10.9.0.1"
ENDPOINT, OTHER_ENDPOINT = 0x2b8ee1d4db0c51c4, 0x2b8ee1d4db0c51c5
CLIENT, ECHO = "10.1.0.2", "10.1.0.21"
EVIL = b"HOSTILE PAYLOAD "
ALL_FRAMES = 3  # ETH_P_ALL


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def ipv4(source, destination, payload, protocol=17, fragment=0x4000, length=None):
    def header(check):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, length or 20 + len(payload), 1, fragment, 64, protocol, check,
                           socket.inet_aton(source), socket.inet_aton(destination))
    return header(checksum(header(0))) + payload


def udp(source_port, destination_port, payload, length=None):
    return struct.pack("!HHHH", source_port, destination_port, length or 8 + len(payload), 0) + payload


def inner(port, payload=EVIL, **header):
    """A datagram of the client's flow from this port, as an appliance would return it."""
    return ipv4(CLIENT, ECHO, udp(port, 7000, payload), **header)


def option(kind, data, option_class=0x0108):
    return struct.pack("!HBB", option_class, kind, len(data) // 4) + data


def geneve(cookie, packet, endpoint=ENDPOINT, attachment=0, extra=b"", first=0, flags=0, protocol=0x0800, options=None):
    if options is None:
        options = (option(1, endpoint.to_bytes(8, "big")) + option(2, attachment.to_bytes(8, "big")) +
                   option(3, cookie.to_bytes(4, "big")))
    options += extra
    return struct.pack("!BBHI", first | len(options) // 4, flags, protocol, 0) + options + packet


def ready(lab):
    lab.wait_until_healthy("ids")
    with lab.inside("client"):
        wait_for("the echo answers", lambda: harness.connects(ECHO, 7000))
        for port in (42001, 42002):  # two flows, which stay
            with harness.udp_socket(CLIENT, port) as s:
                s.sendto(b"hello", (ECHO, 7000))
                s.recv(100)
    mac = json.loads(lab.run("gateway", "ip", "-j", "link", "show", "gen0"))[0]["address"]
    lab.run("attacker", "ip", "neigh", "replace", GATEWAY, "lladdr", mac, "dev", "eth0")


def kinds(lab):
    """(counter, sender, datagram): what is sent, and what it must be counted as."""
    mine, other = (lab.flow(protocol="udp", port=port) for port in (42001, 42002))
    cookie, target = mine["cookie"], mine["appliance"]
    not_target = ({"10.9.0.11", "10.9.0.12"} - {target}).pop()
    good, packet = geneve(cookie, inner(42001)), inner(42001)
    expect("cookies differ", cookie != other["cookie"], True)

    def sent(data, sender=target, **outer):
        return ipv4(sender, GATEWAY, udp(40000, 6081, data), **outer)
    return [
        ("geneve_truncated", sent(b"\0\1\2")),
        ("geneve_truncated", sent(good[:20])),
        ("geneve_truncated", sent(b"\x3f" + good[1:])),
        ("geneve_truncated", sent(geneve(cookie, packet, extra=struct.pack("!HBB", 0x0101, 1, 31)))),
        ("geneve_version", sent(b"\xff" * 100)),
        ("geneve_control", sent(geneve(cookie, packet, flags=0x80))),
        ("geneve_protocol", sent(geneve(cookie, b"\0" * 12 + b"\x08\0" + packet, protocol=0x6558))),
        ("geneve_critical_option", sent(geneve(cookie, packet, extra=option(0x81, b"0123")))),
        ("geneve_option_missing", sent(geneve(cookie, packet, options=option(3, cookie.to_bytes(4, "big"))))),
        ("source_unregistered", sent(good, sender="10.9.0.66")),
        ("source_unregistered", sent(good, sender="10.9.0.1")),
        ("cookie_mismatch", sent(geneve(cookie ^ 1, packet))),
        ("cookie_mismatch", sent(geneve(0, packet))),
        # A packet under the header of another flow of the same appliance, or sent back by another one.
        ("cookie_mismatch" if other["appliance"] == target else "target_mismatch",
         sent(geneve(cookie, inner(42002)))),
        ("target_mismatch", sent(good, sender=not_target)),
        ("endpoint_mismatch", sent(geneve(cookie, packet, endpoint=OTHER_ENDPOINT))),
        ("endpoint_mismatch", sent(geneve(cookie, packet, endpoint=1))),
        ("endpoint_mismatch", sent(geneve(cookie, packet, attachment=1))),
        ("flow_unknown", sent(geneve(cookie, inner(42003)))),
        ("inner_invalid", sent(geneve(cookie, b"\x45" + EVIL * 3))),
        ("inner_invalid", sent(geneve(cookie, b"\x65" + packet[1:]))),
        ("inner_invalid", sent(geneve(cookie, inner(42001, length=2000)))),
        ("outer_invalid", ipv4(target, GATEWAY, udp(40000, 6081, good, length=9000))),
        ("outer_invalid", sent(good, fragment=0x2000)),
    ], sent(geneve(cookie, inner(42001, b"FAIR PAYLOAD")))


def sniffer(lab, namespace):
    with lab.inside(namespace):
        s = lab.resources.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_FRAMES)))
    s.bind(("eth0", ALL_FRAMES))
    s.setblocking(False)
    return s


def frames(s):
    with_payload = []
    while True:
        try:
            frame = s.recv(65536)
        except BlockingIOError:
            return with_payload
        if b"PAYLOAD" in frame:
            with_payload.append(frame)


def attacks(lab):
    """Every kind is sent a number of times of its own, and then one fair datagram, which does arrive."""
    hostile, fair = kinds(lab)
    lab.wait_until_settled()
    ends = {"echo": sniffer(lab, "echo"), "client": sniffer(lab, "client")}
    total = 0
    with lab.inside("attacker"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for number, (reason, datagram) in enumerate(hostile):
            before, times = lab.drops(), 3 + number
            for _ in range(times):
                raw.sendto(datagram, (GATEWAY, 0))
            becomes(f"drops after {times} of kind {number}", lab.drops,
                    {**before, reason: before.get(reason, 0) + times})
            total += times
        for name, s in ends.items():
            expect(f"hostile packets at {name}", frames(s), [])
        before = lab.verdicts()["inside"]
        raw.sendto(fair, (GATEWAY, 0))
        wait_for("the fair one is delivered", lambda: lab.verdicts()["inside"] > before)
    seen = []
    wait_for("the fair one arrives", lambda: seen.extend(frames(ends["echo"])) or seen)
    expect("what arrived", b"FAIR" in seen[0], True)
    return f"{len(hostile)} kinds, {total} datagrams, none delivered"


def random_bytes(lab):
    """Noise to the GENEVE port: all of it is dropped, neither end sees any, and the client's flow goes on."""
    ends = {"echo": sniffer(lab, "echo"), "client": sniffer(lab, "client")}
    before = sum(lab.drops().values())
    with lab.inside("attacker"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for sent in range(100, 2001, 100):  # few enough for the kernel's queues at once
            for length in range(sent - 100, sent):
                data = os.urandom(length % 1400) + b"PAYLOAD"
                raw.sendto(ipv4("10.9.0.11", GATEWAY, udp(40000, 6081, data)), (GATEWAY, 0))
            becomes("all are dropped", lambda: sum(lab.drops().values()) - before, sent)
    for name, s in ends.items():
        expect(f"noise at {name}", frames(s), [])
    with lab.inside("client"), harness.udp_socket(CLIENT, 42001) as s:
        s.sendto(b"still here", (ECHO, 7000))
        expect("the flow", s.recv(100), b"still here")


if __name__ == "__main__":
    harness.run(LAB, ready, attacks, random_bytes)
