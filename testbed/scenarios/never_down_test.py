#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A pinned gateway whose daemon is killed, ended and started again under load: no packet is lost, no flow moves, and
whoever is gone in the meantime is noticed afterwards.

  nlb.yaml with `pinned: true`: client -- [gateway] -- one, two, three, and NLB listeners
"""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import threading

import harness
import harness_daemon
from harness import expect, wait_for

SERVER, LISTENER = ("10.1.0.21", 7000), ("10.1.0.100", 53)
KILLS = 5


def ready(lab):
    harness_daemon.leave_no_pins(lab)
    for name in ("one", "two", "three"):
        with lab.inside(name):
            lab.resources.enter_context(harness.Server(name, 7000))
    lab.wait_until_healthy("ids", "udp4")
    with lab.inside("client"):
        for address in (SERVER, LISTENER):
            with harness.udp_socket("10.1.0.2") as s:
                wait_for("an answer", lambda s=s, a=address: echoed(s, a))


def echoed(s, address):
    """Whether an answer comes; the first datagrams may be lost while neighbours are looked for."""
    s.settimeout(0.5)
    s.sendto(b"x", address)
    with contextlib.suppress(socket.timeout):
        return s.recv(100)
    return None


class Load:
    """Datagrams and their echoes, one after the other, on old and ever new flows, until it is stopped."""

    def __init__(self, lab):
        self.sent = self.lost = 0
        self.running = True
        with lab.inside("client"):
            self.old = [harness.udp_socket("10.1.0.2", port) for port in range(43000, 43020)]
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()

    def _run(self):
        port = 44000
        while self.running:
            for s in self.old:
                self._ask(s, SERVER if s.getsockname()[1] % 2 else LISTENER)
            with contextlib.suppress(OSError), harness.udp_socket("10.1.0.2", port) as s:
                self._ask(s, SERVER if port % 2 else LISTENER)
            port = port + 1 if port < 60000 else 44000

    def _ask(self, s, address):
        self.sent += 1
        s.sendto(b"%d" % self.sent, address)
        try:
            while not s.recv(200).endswith(b" %d" % self.sent):
                pass
        except socket.timeout:
            self.lost += 1

    def stop(self):
        self.running = False
        self.thread.join()
        for s in self.old:
            s.close()


def who(lab):
    """Where each of the old flows goes, and under which cookie."""
    return {f["source_port"]: (f["appliance"], f["cookie"]) for port in range(43000, 43020)
            for f in lab.flows(protocol="udp", port=port)}


def killed_and_started_again(lab):
    load = Load(lab)
    try:
        wait_for("all old flows", lambda: len(who(lab)) == 20)
        before = who(lab)
        for _ in range(KILLS):
            harness_daemon.kill(lab)
            sent = load.sent
            wait_for("packets without a daemon", lambda sent=sent: load.sent > sent + 200)
            harness_daemon.start(lab)
            sent = load.sent
            wait_for("packets with the new one", lambda sent=sent: load.sent > sent + 200)
            expect("flows are where they were", who(lab), before)
        lab.wait_until_healthy("ids", "udp4")
        sent = load.sent
        wait_for("packets when all targets are known", lambda: load.sent > sent + 200)
    finally:
        load.stop()
    expect("lost", load.lost, 0)
    return f"{load.sent} datagrams there and back, {KILLS} kills"


def ended_and_started_again(lab):
    load = Load(lab)
    try:
        wait_for("packets", lambda: load.sent > 100)
        harness_daemon.end(lab.daemon)
        sent = load.sent
        wait_for("packets without a daemon", lambda: load.sent > sent + 200)
        harness_daemon.start(lab)
        sent = load.sent
        wait_for("packets with the new one", lambda: load.sent > sent + 200)
    finally:
        load.stop()
    expect("lost", load.lost, 0)
    return f"{load.sent} datagrams there and back"


def ask(sockets):
    for s in sockets:
        s.sendto(b"x", SERVER)
        s.recv(100)


def an_appliance_dies_meanwhile(lab):
    """Nobody sees it; the next daemon does, and new flows go to the other one."""
    with lab.inside("client"):
        lab.silent = [lab.resources.enter_context(harness.udp_socket("10.1.0.2", port)) for port in range(62000, 62040)]
        ask(lab.silent)
    harness_daemon.kill(lab)
    os.kill(lab.pid("ids2"), signal.SIGKILL)
    harness_daemon.start(lab)
    lab.without_rows("ids", "10.9.0.12")
    with lab.inside("client"):
        for port in range(61000, 61040):
            with harness.udp_socket("10.1.0.2", port) as s:
                ask([s])


def a_dead_appliance_is_still_left(lab):
    """Its flows that have said nothing since leave it with their next packet, as the daemon before has seen to; the new
    one has not checked anybody yet."""
    def of_the_dead():
        return [f["source_port"] for f in lab.flows(protocol="udp") if f["source_port"] >= 62000
                and f["appliance"] == "10.9.0.12"]
    left = of_the_dead()
    expect("flows of it", len(left) > 0, True)
    harness_daemon.kill(lab)
    harness_daemon.start(lab)
    ask(lab.silent)
    expect("flows that it still has", of_the_dead(), [])
    return f"{len(left)} flows"


def a_start_that_fails_changes_nothing(lab):
    """Whatever it fails for, with a table of another size: packets go on without a daemon, and the next one finds all as
    it was."""
    harness_daemon.kill(lab)
    pins = pathlib.Path(f"/sys/fs/bpf/sluice/{lab.name}")
    before = sorted(p.name for p in pins.iterdir())
    good = lab.config.read_text()
    other = good.replace("flows_max: 262144", "flows_max: 131072")
    # A bridge takes no XDP program, which is found out when the others have theirs.
    for name in ("br8", "br9"):
        lab.run("gateway", "ip", "link", "add", name, "type", "bridge")
    late = ("load_balancer: inspect}\n", "load_balancer: inspect}\n  - {name: late, endpoint_id: 8, outside: br8, inside: br9, "
            "load_balancer: inspect, entry: xdp}\n")
    load = Load(lab)
    try:
        wait_for("packets without a daemon", lambda: load.sent > 100)
        for base, old, new in ((other, "  pinned: true\n", "  pinned: true\n  flow_log: {file: /proc/sluice/flows}\n"),
                               (other, "  pinned: true\n", "  pinned: true\n  proxies: {user: nobody-at-all}\n"),
                               (other, "interface: mgmt0", "interface: gone0"), (other, *late), (good, *late),
                               (good.replace("  pinned: true\n", ""), *late)):
            expect("what is changed", old in base, True)
            lab.config.write_text(base.replace(old, new))
            with lab.inside("gateway"):
                failed = subprocess.run([harness.BIN / "sluiced", "--config", lab.config], capture_output=True, text=True,
                                        timeout=300, check=False)
            expect(f"the start with {new}", failed.returncode, 1)
            expect("what is pinned", sorted(p.name for p in pins.iterdir()), before)
            addresses = lab.run("gateway", "ip", "-br", "address", "show", "mgmt0")
            expect("the listeners' addresses are there", "10.1.0.100" in addresses, True)
            sent = load.sent
            wait_for("packets after it", lambda sent=sent: load.sent > sent + 200)
        lab.config.write_text(good)
        harness_daemon.start(lab)
    finally:
        load.stop()
    expect("lost", load.lost, 0)
    return f"{load.sent} datagrams there and back"


def removed(lab):
    pins = f"/sys/fs/bpf/sluice/{lab.name}"
    words = [harness.BIN / "sluiced", "--config", lab.config, "--remove"]
    with lab.inside("gateway"):
        running = subprocess.run(words, capture_output=True, text=True, check=False)
        expect("while the daemon runs", running.returncode, 1)
        harness_daemon.end(lab.daemon)
        expect("pinned", os.path.exists(pins), True)
        harness.command(*words)
    expect("pins left", os.path.exists(pins), False)
    addresses = lab.run("gateway", "ip", "-br", "address", "show", "mgmt0")
    expect("listeners' addresses left", "10.1.0.100" in addresses, False)


if __name__ == "__main__":
    PINNED = ("  tunnel: {interface", "  pinned: true\n  tunnel: {interface")
    ROOM = ("flows_max: 4096", "flows_max: 262144")
    MOVES = ("    protocol: GENEVE\n", "    protocol: GENEVE\n    attributes: {target_failover.on_unhealthy: rebalance, "
             "target_failover.on_deregistration: rebalance}\n")
    harness.run(harness.Lab("testbed/scenarios/nlb.yaml", [PINNED, ROOM, MOVES]), ready, killed_and_started_again,
                ended_and_started_again, a_start_that_fails_changes_nothing, an_appliance_dies_meanwhile,
                a_dead_appliance_is_still_left, removed)
