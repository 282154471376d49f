#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Connections, IPv4 and IPv6, through appliances with IPv6 addresses, with more data than a packet holds; in a chain with one
that has an IPv4 address; probes that stop to come back; what Wireshark reads outside; a target registered while it runs; and
all that again with super-packets at TC.

  client -- out0 [gateway] in0 -- app        gen0 -- aws, plain, both
"""
import os
import signal
import socket
import subprocess

import harness
from harness import becomes, expect, wait_for

GROUPS = {"aws": 7000, "plain": 7001, "four": 7002}
CHAIN = 7003
APP = ("10.1.0.11", "fd01::11")
DATA = bytes(range(256)) * 1024


def counts(lab):
    """Packets sent to each appliance, and returned."""
    out = {}
    for group in GROUPS:
        target = next(iter(lab.targets(group).values()))
        out[group] = (target["packets_sent"], target["packets_returned"])
    return out


def since(lab, before):
    return {group: (now[0] - before[group][0], now[1] - before[group][1]) for group, now in counts(lab).items()}


def nearly_all_returned(sent, returned):
    """Two CPUs may count at once, and an appliance on a busy machine may miss some."""
    return abs(sent - returned) <= max(4, sent // 20)


def drops(lab):
    """But for probes that came back late."""
    return {name: n for name, n in lab.drops().items() if name != "probe_stale"}


def echo(lab, address, port):
    """There and back: whether all of it came back."""
    with lab.inside("client"), socket.create_connection((address, port), harness.PATIENCE_S) as s:
        s.settimeout(harness.PATIENCE_S)
        file = s.makefile("rwb")
        greeting = file.read(4)
        while greeting.count(b" ") < 2:
            greeting += file.read(1)
        for at in range(0, len(DATA), 65536):
            file.write(DATA[at:at + 65536])
            file.flush()
            if file.read(65536) != DATA[at:at + 65536]:
                return False
    return True


def ready(lab):
    with lab.inside("app"):
        for port in (*GROUPS.values(), CHAIN):
            lab.resources.enter_context(harness.Server("app", port))
    lab.wait_until_healthy(*GROUPS)
    with lab.inside("client"):
        for address in APP:
            wait_for(f"{address} answers", lambda a=address: harness.connects(a, GROUPS["aws"]))
    # Healthy means: probes over both versions have come back.
    probes = lab.verdicts()["probe"]
    wait_for("more of them", lambda: lab.verdicts()["probe"] >= probes + 10)


def each_appliance(lab):
    """Nothing is too big: 1588 bytes carry 1500 and 88."""
    lab.wait_until_settled()
    for group, port in GROUPS.items():
        before, dropped = counts(lab), drops(lab)
        for address in APP:
            expect(f"the data through {group} and {address}", echo(lab, address, port), True)
        wait_for("what it was sent has come back", lambda: nearly_all_returned(*since(lab, before)[group]))
        expect(f"{group} carried it", since(lab, before)[group][0] > 2 * len(DATA) // 1500, True)
        becomes("drops", lambda: drops(lab), dropped)
        expect("and no other", [g for g in GROUPS if g != group and since(lab, before)[g][0] > 100], [])


def all_in_a_chain(lab):
    before = counts(lab)
    for address in APP:
        expect(f"the data to {address}", echo(lab, address, CHAIN), True)
    least = 2 * len(DATA) // 1500
    expect("each of them carried it", [g for g in GROUPS if since(lab, before)[g][0] < least], [])


def probes_through_the_tunnel(lab):
    """A stopped process: its kernel still makes the connections of health checks, but no probe comes back."""
    for group in ("aws", "plain"):
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
    file = lab.folder / "aws.pcapng"
    capture = subprocess.Popen([harness.BIN / "sluice", "capture", "--socket", lab.socket, "-w", file, "--stage", "encapsulated",
                                "--port", str(GROUPS["aws"]), "--count", "4"], stdout=subprocess.PIPE)
    try:
        wait_for("the begin of the capture", lambda: file.exists() and file.stat().st_size)
        with lab.inside("client"):
            expect("a connection", harness.connects(APP[0], GROUPS["aws"], harness.PATIENCE_S), True)
        capture.wait(harness.PATIENCE_S)  # the handshake and the greeting
    finally:
        capture.kill()
        capture.wait()
    fields = ["ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.nxt", "udp.dstport", "udp.checksum", "geneve.vni"]
    lines = harness.command("tshark", "-r", file, "-Y", "geneve", "-T", "fields", *[w for f in fields for w in ("-e", f)])
    expect("what it says outside", {tuple(line.split("\t")) for line in lines.splitlines()},
           {("fd09::1", "fd09::11", "64", "17", "6081", "0x0000", "0x000000")})
    pairs = harness.command("tshark", "-r", file, "-Y", "geneve", "-T", "fields", "-e", "ipv6.flow", "-e", "udp.srcport")
    expect("labels and ports of the flow", len(set(pairs.splitlines())), 1)


def registered_while_it_runs(lab):
    """The address of the other version of an appliance that is there already; a link-local one is refused."""
    lab.ask("register", target_group="aws", id="fd09::31")
    wait_for("it is healthy", lambda: [t["state"] for t in lab.targets("aws").values()] == ["healthy"] * 2)
    try:
        lab.ask("register", target_group="aws", id="fe80::31")
        refusal = "none"
    except harness.Failure as failure:
        refusal = str(failure)
    expect(f"the reason in {refusal!r}", "fe80::31 is no global or unique local IPv6 address" in refusal, True)
    lab.ask("deregister", target_group="aws", id="fd09::11")
    expect("the data", echo(lab, APP[1], GROUPS["aws"]), True)


if __name__ == "__main__":
    YAML = "testbed/scenarios/outer_ipv6.yaml"
    harness.run(harness.Lab(YAML), ready, each_appliance, all_in_a_chain, probes_through_the_tunnel, read_by_wireshark,
                registered_while_it_runs, tools=("tshark",))
    TC = ("load_balancer: inspect}", "load_balancer: inspect, entry: tc}")
    harness.run(harness.Lab(YAML, [TC]), ready, each_appliance, all_in_a_chain)
