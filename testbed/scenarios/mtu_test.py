#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A tunnel that is too small for full-sized packets: connections work in both directions, directly and through the
NLB, because senders are told what fits; with the MSS clamp, because they never send more. Datagrams without DF arrive,
because the gateway cuts them.

  nlb.yaml with an MTU of 1500 towards the appliances: packets of up to 1432 bytes fit.
"""
import socket

import harness
from harness import DATA, expect

DIRECT = ("10.1.0.21", 7000), ("fd01::21", 7000)
LISTENERS = ("10.1.0.100", 80), ("fd01::100", 80)
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # of <linux/in.h>: packets without DF
servers = {}
CLAMP = ("  tunnel: {interface", "  mss_clamp: true\n  tunnel: {interface")
SMALL = ("{name: fabric, mtu: 1600}", "{name: fabric, mtu: 1500}")


def ready(lab):
    for name in ("one", "two", "three"):
        with lab.inside(name):
            servers[name] = lab.resources.enter_context(harness.Server(name, 7000))
    lab.wait_until_healthy("ids", "tcp4", "tcp6", "udp4")
    with lab.inside("client"):
        for address, port in DIRECT + LISTENERS:
            harness.wait_for(f"{address} answers", lambda a=address, p=port: harness.connects(a, p))


def warned(lab):
    """By name, of what will not fit, before any packet comes."""
    expect("the warning", "attachment front: packets of up to 1500 bytes come, but only 1432 fit the tunnel to 10.9.0.1"
           in lab.log("gateway", "sluiced"), True)


def carries_data(lab):
    for address, port in DIRECT + LISTENERS:
        with lab.inside("client"):
            expect(f"the data through {address}", harness.comes_back(address, port), True)


def told(lab):
    before = lab.drops().get("too_big", 0)
    carries_data(lab)
    dropped = lab.drops()["too_big"] - before
    expect("senders were told", dropped > 0, True)
    harness.wait_for_equal(lambda: {"answered": lab.verdicts()["answered"], "dropped": lab.drops()["too_big"]})
    return f"{dropped} packets too big, all answered"


def clamped(lab):
    carries_data(lab)
    expect("packets too big", lab.drops().get("too_big", 0), 0)
    expect("handshakes were clamped", lab.ask("counters")["events"]["mss_clamped"] >= 8, True)


def cut(lab):
    """An IP packet of 1432 bytes fits: a larger datagram becomes two fragments, and a fragment of 1500 bytes two again.
    There and back, directly and through the NLB; the answer has a few bytes more."""
    before, dropped = lab.ask("counters")["events"], lab.drops()
    for server in servers.values():
        server.datagrams.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    made = 0
    for port, to in enumerate((("10.1.0.21", 7000), ("10.1.0.100", 53)), 43000):
        with lab.inside("client"), harness.udp_socket("10.1.0.2", port, harness.PATIENCE_S) as s:
            s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
            # 4,000 bytes are two fragments of 1500 and one that fits.
            for length, packets, more in ((1300, 1, 0), (1440, 2, 2), (4000, 5, 4)):
                sent = lab.flows(protocol="udp", address="10.1.0.2", port=port)
                sent = (sent[0]["packets_forward"], sent[0]["packets_back"]) if sent else (0, 0)
                s.sendto(DATA[:length], to)
                expect(f"the answer to {length} bytes", s.recv(65536).endswith(b" " + DATA[:length]), True)
                flow = lab.flow(protocol="udp", address="10.1.0.2", port=port)
                expect(f"packets of {length} bytes", (flow["packets_forward"] - sent[0], flow["packets_back"] - sent[1]),
                       (packets, packets))
                made += 2 * more
    after = lab.ask("counters")["events"]
    expect("fragments made", after["fragment_made"] - before["fragment_made"], made)
    expect("drops", lab.drops(), dropped)
    return f"{made} fragments"


if __name__ == "__main__":
    YAML = "testbed/scenarios/nlb.yaml"
    harness.run(harness.Lab(YAML, [SMALL]), ready, warned, cut, told)
    harness.run(harness.Lab(YAML, [SMALL, CLAMP]), ready, clamped)
