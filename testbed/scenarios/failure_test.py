#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The failure matrix: what becomes of flows when appliances are unhealthy or deregistered, and of new ones when none is
healthy; exact counts. Checks run once a second, two failures count.
"""
import itertools
import os
import re
import signal
import socket
import struct
import subprocess

import harness
from harness import becomes, expect, wait_for

ONE, TWO = "10.9.0.11", "10.9.0.12"
APP = "10.1.0.11"
EACH = 5  # flows of each kind at each appliance
PORTS = itertools.count(20000)
NAMES = {ONE: "pass1", TWO: "pass2"}
REBALANCE = {"target_failover.on_deregistration": "rebalance", "target_failover.on_unhealthy": "rebalance"}
RESET = {"send_tcp_reset.on_unhealthy.enabled": "true", "send_tcp_reset.on_deregistration.enabled": "true"}
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
appliances = {}  # by address: the running process


# ---- what the steps do ----

def configure(lab, group=None, listener=None):
    """These attributes and no others."""
    def words(attributes):
        return "attributes: {" + ", ".join(f'{name}: "{value}"' for name, value in attributes.items()) + "}"
    text = lab.config.read_text()
    listener = {"sluice.unknown_tcp_flow": "auto", **(listener or {})}
    group = {"deregistration_delay.timeout_seconds": "1", **(group or {})}
    text = re.sub(r"attributes: \{sluice.unknown.*\}", words(listener), text)
    text = re.sub(r"attributes: \{deregistration_delay.*\}", words(group), text)
    if text == lab.config.read_text():
        return
    lab.config.write_text(text)
    done = lab.log("gateway", "sluiced").count("again: 1 changes") + lab.log("gateway", "sluiced").count("again: 2 changes")
    os.kill(lab.pid("gateway"), signal.SIGHUP)
    wait_for("the file is read", lambda: len(re.findall("again: [12] changes", lab.log("gateway", "sluiced"))) > done)


def shares(lab):
    return {id_: t.get("share", 0) for id_, t in lab.targets("pass").items()}


def start(lab, address):
    with lab.inside(NAMES[address]):
        appliances[address] = subprocess.Popen(
            [harness.BIN / "sluice-pass", "--listen", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.resources.callback(appliances[address].wait)
        lab.resources.callback(appliances[address].kill)
    wait_for(f"{address} is healthy", lambda: lab.targets("pass")[address]["state"] == "healthy" and shares(lab)[address] > 0)


def kill(lab, *addresses):
    """And waits until the rows know it."""
    for address in addresses:
        appliances[address].kill()
        appliances[address].wait()
    wait_for(f"{addresses} are unhealthy",
             lambda: all(lab.targets("pass")[a]["state"] == "unhealthy" for a in addresses))
    if len(addresses) == 1:
        lab.without_rows("pass", addresses[0])


class Since:
    """What was counted since it was made."""

    def __init__(self, lab):
        self.lab = lab
        self.before = self.all()

    def all(self):
        counters = self.lab.ask("counters")
        return {**counters["events"], **counters["drops"], **counters["verdicts"]}

    def __call__(self, *names):
        now = self.all()
        return tuple(now[n] - self.before[n] for n in names)

    def becomes(self, names, wanted):
        becomes(f"{names}", lambda: self(*names), wanted)


class Pair:
    """A flow with both its ends in this process."""

    def __init__(self, lab, kind):
        self.kind, self.port = kind, next(PORTS)
        protocol = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
        self.client = lab.client_socket(protocol)
        self.client.bind(("10.1.0.2", self.port))
        self.client.connect((APP, 7000))
        self.server = None
        lab.pairs.append(self)
        if kind == "tcp":
            self.server = lab.listener.accept()[0]
            self.server.settimeout(60)

    def talk(self, lab, timeout=60):
        """Whether both directions work."""
        self.client.settimeout(timeout)
        try:
            self.client.send(b"ping")
            if self.kind == "tcp":
                expect("at the server", self.server.recv(4), b"ping")
                self.server.send(b"pong")
            else:
                while (got := lab.datagrams(timeout))[1] != ("10.1.0.2", self.port):
                    pass  # from a flow that has got through late
                lab.server.sendto(b"pong", got[1])
            return self.client.recv(4) == b"pong"
        except socket.timeout:
            return False

    def appliance(self, lab):
        return lab.flow(protocol=self.kind, port=self.port)["appliance"]

    def close(self):
        self.client.close()
        if self.server:
            self.server.close()


def open_flows(lab, kinds=("tcp", "udp")):
    """EACH of each kind at each appliance: (kind, appliance) to pairs. All connections of earlier steps end first."""
    while lab.pairs:
        lab.pairs.pop().close()
    wait_for("earlier connections end", lambda: not [
        f for f in lab.flows(protocol="tcp") if f["destination_port"] == 7000 and f["state"] not in ("closed", "reset")])
    flows = {(k, a): [] for k in kinds for a in (ONE, TWO)}
    for _ in range(40 * EACH):
        if all(len(f) == EACH for f in flows.values()):
            return flows
        for kind in kinds:
            pair = Pair(lab, kind)
            expect("a new flow", pair.talk(lab), True)
            mine = flows[kind, pair.appliance(lab)]
            if len(mine) < EACH:
                mine.append(pair)
            else:
                pair.close()
    raise harness.Failure(f"flows of each: {[len(f) for f in flows.values()]}")


def all_talk(lab, pairs):
    expect("flows that work", [p.talk(lab) for p in pairs], [True] * len(pairs))


def expect_reset(s):
    s.settimeout(60)
    try:
        s.recv(1)
        raise harness.Failure(f"{s} was not reset")
    except ConnectionResetError:
        pass


def ready(lab):
    harness.without_ipv6(lab, "client", "app")
    with lab.inside("app"):
        lab.listener = lab.resources.enter_context(socket.create_server((APP, 7000)))
        lab.listener.settimeout(60)
        lab.server = lab.resources.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        lab.server.bind((APP, 7000))

    def datagrams(timeout):
        lab.server.settimeout(timeout)
        return lab.server.recvfrom(100)

    def client_socket(kind):
        with lab.inside("client"):
            s = lab.resources.enter_context(socket.socket(socket.AF_INET, kind))
        s.settimeout(60)
        return s
    lab.datagrams, lab.client_socket, lab.pairs = datagrams, client_socket, []
    for address in NAMES:
        start(lab, address)
    wait_for("rows", lambda: min(shares(lab).values()) > 0)


# ---- the matrix ----

def unhealthy_no_rebalance(lab):
    """Flows stay with the dead appliance, and work again when it does."""
    flows = open_flows(lab)
    since = Since(lab)
    kill(lab, ONE)
    expect("a flow of the dead", flows["udp", ONE][0].talk(lab, 0.3), False)
    all_talk(lab, flows["udp", TWO] + flows["tcp", TWO])
    start(lab, ONE)
    all_talk(lab, flows["udp", ONE][1:] + flows["tcp", ONE])
    expect("moved, reset", since("flow_moved", "reset_sent"), (0, 0))


def unhealthy_rebalance(lab):
    """Each flow moves once, both directions together, and stays there when the appliance is back."""
    configure(lab, REBALANCE)
    flows = open_flows(lab)
    since = Since(lab)
    kill(lab, ONE)
    all_talk(lab, sum(flows.values(), []))
    since.becomes(("flow_moved", "flow_created", "reset_sent"), (2 * EACH, 0, 0))
    start(lab, ONE)
    all_talk(lab, sum(flows.values(), []))
    expect("nobody moves back", since("flow_moved"), (2 * EACH,))
    expect("appliances", {p.appliance(lab) for f in flows.values() for p in f}, {TWO})


def unhealthy_reset(lab):
    """Idle connections get RST at both ends, with numbers that TCP accepts; UDP stays."""
    configure(lab, RESET)
    flows = open_flows(lab)
    since = Since(lab)
    kill(lab, ONE)
    for pair in flows["tcp", ONE]:
        expect_reset(pair.client)
        expect_reset(pair.server)
    since.becomes(("reset_sent", "target_lost", "flow_moved"), (2 * EACH, 2 * EACH, 0))
    all_talk(lab, flows["tcp", TWO] + flows["udp", TWO])
    expect("a UDP flow of the dead", flows["udp", ONE][0].talk(lab, 0.3), False)
    expect("states", {lab.flow(protocol="tcp", port=p.port)["state"] for p in flows["tcp", ONE]}, {"reset"})
    # The same ports connect again, elsewhere.
    for pair in flows["tcp", ONE]:
        pair.close()
        again = lab.client_socket(socket.SOCK_STREAM)
        again.bind(("10.1.0.2", pair.port))
        again.connect((APP, 7000))
        lab.listener.accept()[0].close()
        again.close()
        expect("where it is now", lab.flow(protocol="tcp", port=pair.port)["appliance"], TWO)
    start(lab, ONE)


def rebalance_before_reset(lab):
    configure(lab, {**REBALANCE, **RESET})
    flows = open_flows(lab, ["tcp"])
    since = Since(lab)
    kill(lab, ONE)
    all_talk(lab, sum(flows.values(), []))
    since.becomes(("flow_moved", "reset_sent"), (EACH, 0))
    start(lab, ONE)


def drained(lab, gone=False):
    """ONE is deregistered, and its delay has passed. `gone`: it has no place any more."""
    lab.ask("deregister", target_group="pass", id=ONE)
    wait_for("it has drained", lambda: all(
        not gone and "drains" not in t["description"] for t in lab.ask("targets")["targets"] if t["id"] == ONE))


def register(lab):
    lab.ask("register", target_group="pass", id=ONE)
    wait_for("it has rows", lambda: shares(lab).get(ONE, 0) > 0)


def deregistered_no_rebalance(lab):
    """Flows go on at the deregistered appliance for as long as they live; new ones go elsewhere."""
    configure(lab)
    flows = open_flows(lab)
    since = Since(lab)
    drained(lab)
    all_talk(lab, sum(flows.values(), []))
    expect("moved, reset", since("flow_moved", "reset_sent"), (0, 0))
    new = [Pair(lab, "udp") for _ in range(10)]
    all_talk(lab, new)
    expect("new flows", {p.appliance(lab) for p in new}, {TWO})
    register(lab)


def deregistered_rebalance(lab):
    configure(lab, REBALANCE)
    flows = open_flows(lab)
    since = Since(lab)
    drained(lab, gone=True)
    all_talk(lab, sum(flows.values(), []))
    since.becomes(("flow_moved", "reset_sent"), (2 * EACH, 0))
    register(lab)
    all_talk(lab, sum(flows.values(), []))
    expect("nobody moves back", since("flow_moved"), (2 * EACH,))


def deregistered_reset(lab):
    configure(lab, RESET)
    flows = open_flows(lab)
    since = Since(lab)
    drained(lab)
    for pair in flows["tcp", ONE]:
        expect_reset(pair.client)
        expect_reset(pair.server)
    all_talk(lab, flows["udp", ONE] + flows["udp", TWO] + flows["tcp", TWO])
    since.becomes(("flow_moved", "reset_sent"), (0, 2 * EACH))
    register(lab)


def all_unhealthy(lab):
    """The last resort, closed, and open; then they recover."""
    configure(lab)
    flows = open_flows(lab, ["udp"])
    old = flows["udp", ONE] + flows["udp", TWO]
    kill(lab, ONE, TWO)
    wait_for("rows", lambda: min(shares(lab).values()) > 0)
    since = Since(lab)
    expect("an old and a new flow", [old[0].talk(lab, 0.2), Pair(lab, "udp").talk(lab, 0.2)], [False, False])
    since.becomes(("target", "failed_open"), (2, 0))  # sent, uninspected

    configure(lab, {"sluice.all_unhealthy": "fail_closed"})
    wait_for("no rows", lambda: max(shares(lab).values()) == 0)
    since = Since(lab)
    expect("an old and a new flow", [old[0].talk(lab, 0.2), Pair(lab, "udp").talk(lab, 0.2)], [False, False])
    since.becomes(("target", "no_target", "failed_open"), (1, 1, 0))  # sent, dropped

    configure(lab, {"sluice.all_unhealthy": "bypass"})
    since = Since(lab)
    new = [Pair(lab, "udp") for _ in range(EACH)]
    all_talk(lab, new + old)
    since.becomes(("target", "failed_open"), (0, 2 * len(new + old)))
    all_talk(lab, [Pair(lab, "tcp")])
    lab.wait_for_log("gateway", "sluiced", "no target of pass is healthy: its packets pass without inspection")

    start(lab, ONE)
    start(lab, TWO)
    since = Since(lab)
    all_talk(lab, old)
    expect("old flows are inspected where they were", since("flow_moved", "failed_open", "target"), (0, 0, 2 * len(old)))
    expect("where", [p.appliance(lab) for p in old], [ONE] * EACH + [TWO] * EACH)
    all_talk(lab, new)
    expect("flows that began uninspected stay so", since("failed_open"), (2 * EACH,))
    last = Pair(lab, "udp")
    all_talk(lab, [last])
    expect("a new flow is inspected", last.appliance(lab) in (ONE, TWO), True)


# ---- connections that the gateway has not seen ----

class Phantom:
    """A connection that only its client believes in: TCP says so, and one ACK leaves for it."""

    def __init__(self, lab):
        self.socket = s = lab.client_socket(socket.SOCK_STREAM)
        s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        s.bind(("10.1.0.2", next(PORTS)))
        for queue in (1, 2):  # received, sent
            s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
            s.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack("I", 1000000 * queue))
        s.connect((APP, 7000))
        s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)  # this sends the ACK

    def close(self):
        """Without a word."""
        self.socket.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self.socket.close()


def unknown_connections(lab):
    configure(lab)
    since = Since(lab)
    phantom = Phantom(lab)
    expect_reset(phantom.socket)  # by the application: the gateway has taken the ACK to it
    since.becomes(("mid_flow", "reset_sent"), (1, 0))

    configure(lab, {}, {"sluice.unknown_tcp_flow": "drop"})
    since = Since(lab)
    phantom = Phantom(lab)
    since.becomes(("flow_not_begun", "drop", "answered", "mid_flow"), (1, 1, 0, 0))
    phantom.close()

    configure(lab, {}, {"send_tcp_reset.on_idle_timeout.enabled": "true"})
    since = Since(lab)
    expect_reset(Phantom(lab).socket)
    since.becomes(("flow_not_begun", "reset_sent", "answered", "target"), (1, 1, 1, 0))


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/failure.yaml"), ready, unhealthy_no_rebalance, unhealthy_rebalance,
                unhealthy_reset, rebalance_before_reset, deregistered_no_rebalance, deregistered_rebalance,
                deregistered_reset, all_unhealthy, unknown_connections)
