#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An appliance that has seen enough says so, and the gateway delivers the rest of the flow without it: sluice-dpi
returns DNS with a hint that `gateway.hints` maps to bypass, through an NLB listener.
"""
import contextlib
import socket

import harness
from harness import expect, wait_for

QUERY = bytes.fromhex("123401000001000000000000" "0377777707" "6578616d706c6503636f6d00" "00010001")
LISTENER = ("10.1.0.100", 53)


def ready(lab):
    for name in ("one", "two", "three"):
        with lab.inside(name):
            lab.resources.enter_context(harness.Server(name, 7000))
    lab.wait_until_healthy("ids", "udp4")
    with lab.inside("client"):  # until every neighbour is known
        wait_for("an answer", lambda: harness.connects("10.1.0.100", 80))
        with harness.udp_socket("10.1.0.2", 41999, timeout=0.2) as s:
            def answered():
                with contextlib.suppress(socket.timeout):
                    s.sendto(b"x", LISTENER)
                    return s.recv(500)
                return None
            wait_for("an answer", answered)
    lab.drops_before = lab.drops()


def ask(lab, port, data, count):
    with lab.inside("client"), harness.udp_socket("10.1.0.2", port) as s:
        for _ in range(count):
            s.sendto(data, LISTENER)
            expect("the echo", s.recv(500).endswith(data), True)


def known_flows_pass_by(lab):
    ask(lab, 42001, QUERY, 100)
    events = lab.ask("counters")["events"]  # all that was asked has been answered
    expect("the flow passes by", lab.flow(protocol="udp", port=42001).get("bypassed"), True)
    # One query told the appliance; that one and its hint went through it.
    expect("packets that passed by", events["bypassed"], 199)
    expect("hints", (events["hint_taken"], events["hint_unknown"]), (1, 0))


def others_are_inspected(lab):
    # Not for long: what stays unknown on this port is taken for DNS in the end.
    ask(lab, 42002, b"not DNS", 5)
    expect("packets that passed by", lab.ask("counters")["events"]["bypassed"], 199)
    expect("drops", lab.drops(), lab.drops_before)


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/nlb.yaml", [
        ("program: sluice-ids, arguments: [", 'program: sluice-dpi, arguments: [--policy, "{dir}/steer.yaml", '),
        ("  tunnel: {interface", "  hints: [{hint: 7, type: bypass}]\n  tunnel: {interface"),
    ]), ready, known_flows_pass_by, others_are_inspected)
