#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""IP fragments in every order: all of a datagram's go to the appliance of its flow, directly and through the NLB,
and none is lost; one whose first never comes is dropped by name. The lab is drawn in nlb.yaml."""
import itertools
import socket
import struct

import harness
from harness import expect

CLIENTS = {4: "10.1.0.2", 6: "fd01::2"}
DESTINATIONS = {4: (("10.1.0.21", 7000), ("10.1.0.100", 53)), 6: (("fd01::21", 7000), ("fd01::100", 53))}
SIZE = 1440  # of a fragment's payload
DATA = bytes(range(256)) * 12  # three fragments; the answer, a few bytes longer, is three, too
sequence = itertools.count(1)


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(source, destination, source_port, port):
    """The UDP packet around DATA, with its checksum."""
    length = 8 + len(DATA)
    header = struct.pack("!HHH", source_port, port, length)
    pseudo = packed(source) + packed(destination) + struct.pack("!HH", 17, length)
    return header + struct.pack("!H", checksum(pseudo + header + b"\0\0" + DATA)) + DATA


def fragments(source, destination, payload):
    """IP packets; the kernel fills in the IPv4 checksums."""
    identification = next(sequence)
    for at in range(0, len(payload), SIZE):
        piece, more = payload[at:at + SIZE], at + SIZE < len(payload)
        if ":" in source:
            yield (struct.pack("!IHBB", 6 << 28, 8 + len(piece), 44, 64) + packed(source) + packed(destination)
                   + struct.pack("!BBHI", 17, 0, at | more, identification) + piece)
        else:
            yield (struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), identification, more << 13 | at // 8, 64, 17, 0)
                   + packed(source) + packed(destination) + piece)


def raw_socket(version):
    return socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)


def ready(lab):
    for name in ("one", "two", "three"):
        with lab.inside(name):
            lab.resources.enter_context(harness.Server(name, 7000))
    lab.wait_until_healthy("ids", "udp4", "udp6")
    with lab.inside("client"):
        for destinations in DESTINATIONS.values():
            for address, port in destinations:
                with harness.udp_socket(CLIENTS[6 if ":" in address else 4], timeout=0.2) as s:
                    harness.wait_for(f"{address} answers", lambda s=s, to=(address, port): answers(s, to))


def answers(s, to):
    try:
        s.sendto(b"?", to)
        return s.recv(100)
    except OSError:
        return None


def every_order(lab):
    """A flow for each way, begun with a whole packet; then all orders of three fragments."""
    handed_over, appliances = lab.verdicts()["slow_path"], set()
    ports = itertools.count(43000)
    for version, destinations in DESTINATIONS.items():
        for destination, port in destinations * 4:
            client, source_port, sent = CLIENTS[version], next(ports), 1
            with lab.inside("client"), harness.udp_socket(client, source_port, harness.PATIENCE_S) as s, \
                    raw_socket(version) as raw:
                s.sendto(b"whole", (destination, port))
                expect("the answer to a whole packet", s.recv(100).endswith(b" whole"), True)
                appliance = lab.flow(protocol="udp", address=client, port=source_port)["appliance"]
                payload = datagram(client, destination, source_port, port)
                for order in itertools.permutations(range(3)):
                    pieces = list(fragments(client, destination, payload))
                    for i in order:
                        raw.sendto(pieces[i], (destination, 0))
                    data, peer = s.recvfrom(65536)
                    expect(f"the answer to {order}", data.endswith(b" " + DATA), True)
                    expect("the answer comes from", peer[:2], (destination, port))
                    sent += len(pieces)
            flow = lab.flow(protocol="udp", address=client, port=source_port)
            expect("packets of the flow", (flow["packets_forward"], flow["packets_back"]), (sent, sent))
            expect("its appliance", flow["appliance"], appliance)
            appliances.add(appliance)
    lab.wait_until_settled()
    expect("appliances in use", len(appliances), 2)
    expect("drops", lab.drops(), {})
    handed_over = lab.verdicts()["slow_path"] - handed_over
    expect("fragments that came too early were handed over", handed_over > 0, True)
    return f"{handed_over} through the slow path"


def without_the_first(lab):
    with lab.inside("client"), raw_socket(4) as raw:
        pieces = list(fragments(CLIENTS[4], "10.1.0.21", datagram(CLIENTS[4], "10.1.0.21", 44000, 7000)))
        for piece in pieces[1:]:
            raw.sendto(piece, ("10.1.0.21", 0))
    harness.becomes("drops", lab.drops, {"fragment_early": 2})


def twice(lab):
    """What repeats or overlaps is dropped by name, and what is there already arrives."""
    before = lab.drops().get("fragment_overlap", 0)
    with lab.inside("client"), harness.udp_socket(CLIENTS[4], 44001, harness.PATIENCE_S) as s, raw_socket(4) as raw:
        pieces = list(fragments(CLIENTS[4], "10.1.0.21", datagram(CLIENTS[4], "10.1.0.21", 44001, 7000)))
        for i in (0, 0, 1, 1, 2):
            raw.sendto(pieces[i], ("10.1.0.21", 0))
        expect("the answer", s.recv(65536).endswith(b" " + DATA), True)
    harness.becomes("drops", lambda: lab.drops().get("fragment_overlap", 0) - before, 2)


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/nlb.yaml"), ready, every_order, without_the_first, twice)
