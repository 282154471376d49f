#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Connections through an appliance of each encapsulation profile, over IPv4 and IPv6, with more data than a packet holds;
through all three of them in a chain; and what Wireshark reads in the bytes.

  client -- out0 [gateway] in0 -- app        gen0 -- aws, google, plain
"""
import os
import signal
import subprocess

import harness
from harness import DATA, becomes, expect, wait_for

GROUPS = {"aws": 7000, "google": 7001, "plain": 7002}
CHAIN = 7003
APP = ("10.1.0.11", "fd01::11")


def counts(lab):
    """Packets sent to each appliance, and returned."""
    out = {}
    for group in GROUPS:
        target = next(iter(lab.targets(group).values()))
        out[group] = (target["packets_sent"], target["packets_returned"])
    return out


def since(lab, before):
    return {group: (now[0] - before[group][0], now[1] - before[group][1]) for group, now in counts(lab).items()}


def drops(lab):
    """But for probes that came back late, and packets that are too big, whose senders are told."""
    return {name: n for name, n in lab.drops().items() if name not in ("probe_stale", "too_big")}


def echo(lab, address, port):
    with lab.inside("client"):
        return harness.comes_back(address, port, timeout=harness.PATIENCE_S)


def ready(lab):
    with lab.inside("app"):
        for port in (*GROUPS.values(), CHAIN):
            lab.resources.enter_context(harness.Server("app", port))
    lab.wait_until_healthy(*GROUPS)
    with lab.inside("client"):
        for address in APP:
            wait_for(f"{address} answers", lambda a=address: harness.connects(a, GROUPS["aws"]))
    # Healthy means: the probes in each profile have come back.
    probes = lab.verdicts()["probe"]
    wait_for("more of them", lambda: lab.verdicts()["probe"] >= probes + 10)


def each_profile(lab):
    lab.wait_until_settled()
    for group, port in GROUPS.items():
        before, dropped = counts(lab), drops(lab)
        for address in APP:
            expect(f"the data through {group} and {address}", echo(lab, address, port), True)
        # On a busy machine the appliance's socket may be full for a moment, and TCP sends again.
        expect(f"{group} carried it", min(since(lab, before)[group]) > 2 * len(DATA) // 1500, True)
        becomes("drops", lambda: drops(lab), dropped)
        expect("and no other", [g for g in GROUPS if g != group and since(lab, before)[g][0] > 100], [])


def all_in_a_chain(lab):
    before = counts(lab)
    expect("the data", echo(lab, APP[0], CHAIN), True)
    lab.closed_flow(port=CHAIN)
    least = len(DATA) // 1500
    expect("each of them carried it", [g for g in GROUPS if since(lab, before)[g][0] < least], [])


def probes_through_the_tunnel(lab):
    """A stopped process: its kernel still makes the connections of health checks, but no probe comes back."""
    for group in ("google", "plain"):
        pid = lab.pid(group)
        os.kill(pid, signal.SIGSTOP)
        try:
            why = wait_for(f"{group} is unhealthy", lambda g=group: [
                t["description"] for t in lab.targets(g).values() if t["state"] == "unhealthy"])
        finally:
            os.kill(pid, signal.SIGCONT)
        expect("why", why, ["probes through the tunnel do not come back"])
        lab.wait_until_healthy(group)


def read_by_wireshark(lab):
    """tshark has a decoder of its own for the options of Google."""
    file = lab.folder / "google.pcapng"
    capture = subprocess.Popen([harness.BIN / "sluice", "capture", "--socket", lab.socket, "-w", file, "--stage", "encapsulated",
                                "--port", str(GROUPS["google"]), "--count", "4"], stdout=subprocess.PIPE)
    try:
        wait_for("the begin of the capture", lambda: file.exists() and file.stat().st_size)
        with lab.inside("client"):
            expect("a connection", harness.connects(APP[0], GROUPS["google"], harness.PATIENCE_S), True)
        capture.wait(harness.PATIENCE_S)  # the handshake and the greeting
    finally:
        capture.kill()
        capture.wait()
    fields = ["geneve.vni", "geneve.option.gcp.vnid", "geneve.option.gcp.direction", "geneve.option.gcp.endpoint",
              "geneve.option.gcp.profile", "tcp.dstport"]
    lines = harness.command("tshark", "-r", file, "-Y", "geneve", "-T", "fields", *[w for f in fields for w in ("-e", f)])
    seen = {tuple(line.split("\t")) for line in lines.splitlines()}
    port = str(GROUPS["google"])
    inwards = {row for row in seen if row[5] == port}
    outwards = seen - inwards
    same = ("0x000000", "7", "0000000000000007", "0")
    expect("what it says inwards", {(r[0], r[1], r[3], r[4]) for r in inwards}, {same})
    expect("and outwards", {(r[0], r[1], r[3], r[4]) for r in outwards}, {same})
    expect("directions", ({r[2] for r in inwards}, {r[2] for r in outwards}), ({"0"}, {"1"}))


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/profiles.yaml"), ready, each_profile, all_in_a_chain, probes_through_the_tunnel,
                read_by_wireshark, tools=("tshark",))
