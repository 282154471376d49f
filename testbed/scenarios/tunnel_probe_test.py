#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Probes through the tunnel, five in two seconds, the third that is missed counts; checks of the health port need ten failures,
one a second. An appliance is killed under load, and another one only stops to work while its kernel goes on to accept.
Probed every 100 ms, a dead appliance is left in less than a second. That is counted in probes, each of which waits for its
turn on a busy machine as everything else does; the time is only told.
"""
import itertools
import os
import signal
import socket
import threading
import time

import harness
from failure_test import ONE, TWO, NAMES, Since, appliances, shares, start
from harness import becomes, expect, wait_for

APP = ("10.1.0.11", 7000)
FLOWS = 40
PORTS = itertools.count(30000, FLOWS)
INTERVAL_MS = 100
PROBES_MOST = 9  # of 100 ms, the last one 5% late, are less than a second
ROUNDS_MOST = 10
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
GENEVE_PORT, COOKIE, PROBE_COOKIE = (6081).to_bytes(2, "big"), slice(78, 82), b"\xff" * 4
GROUP = ('attributes: {sluice.health_check.tunnel.interval_ms: "400", target_failover.on_unhealthy: rebalance, '
         "target_failover.on_deregistration: rebalance}")


class Load:
    """FLOWS flows with a datagram every 10 ms each; who arrives, and when."""

    def __init__(self, lab):
        with lab.inside("app"):
            self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.server.bind(APP)
        self.clients = []
        first = next(PORTS)
        for port in range(first, first + FLOWS):
            with lab.inside("client"):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("10.1.0.2", port))
            s.connect(APP)
            self.clients.append(s)
        self.sent, self.received, self.arrivals, self.on = 0, 0, {}, True
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while self.on:
            for s in self.clients:
                s.send(b"x")
                self.sent += 1
            time.sleep(0.01)  # the load's rate

    def receive(self):
        while True:
            data, (_, port) = self.server.recvfrom(10)
            if data == b"end":
                return
            self.received += 1
            self.arrivals.setdefault(port, []).append(time.monotonic())

    def stop(self):
        """When all that can arrive has arrived."""
        self.on = False
        self.threads[0].join()

    def close(self, lab):
        with lab.inside("app"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"end", APP)
        self.threads[1].join()
        for s in [*self.clients, self.server]:
            s.close()


def counts(lab, address):
    target = lab.targets("pass")[address]
    return target["packets_sent"], target["packets_returned"]


def ready(lab):
    harness.without_ipv6(lab, "client", "app")
    for address in NAMES:
        start(lab, address)
    wait_for("rows", lambda: min(shares(lab).values()) > 0)
    probes = Since(lab)
    wait_for("probes come back", lambda: probes("probe")[0] >= 10)
    expect("they are no flows", lab.flows(protocol="udp"), [])


def a_dead_appliance_under_load(lab):
    since, load = Since(lab), Load(lab)
    wait_for("all flows arrive", lambda: len(load.arrivals) == FLOWS)
    doomed = {f["source_port"] for f in lab.flows(protocol="udp", target=ONE)}
    expect("flows at either", 0 < len(doomed) < FLOWS, True)
    killed = time.monotonic()
    appliances[ONE].kill()
    why = wait_for("it is unhealthy", lambda: lab.targets("pass")[ONE]["state"] == "unhealthy"
                   and lab.targets("pass")[ONE]["description"])
    wait_for("its flows arrive again", lambda: all(load.arrivals[p][-1] > killed + 0.05 for p in doomed)
             and shares(lab)[ONE] == 0)
    becomes("each of its flows moved once", lambda: since("flow_moved", "flow_created"), (len(doomed), FLOWS))
    load.stop()
    appliances[ONE].wait()
    wait_for("the rest arrives", lambda: load.sent - load.received == counts(lab, ONE)[0] - counts(lab, ONE)[1])
    becomes("what the other one lost", lambda: counts(lab, TWO)[0] - counts(lab, TWO)[1], 0)
    dark = max(min(t for t in load.arrivals[p] if t > killed + 0.05) - max(t for t in load.arrivals[p] if t <= killed + 0.05)
               for p in doomed)
    expect("why", why, "probes through the tunnel do not come back")
    load.close(lab)
    start(lab, ONE)
    return (f"{len(doomed)} flows dark for {1000 * dark:.0f} ms; {load.sent - load.received} of {load.sent} packets lost, "
            "all of them at the dead appliance")


def one_that_only_accepts(lab):
    """A stopped process: its kernel still makes the connections of health checks."""
    appliances[TWO].send_signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        wait_for("it is unhealthy", lambda: lab.targets("pass")[TWO]["state"] == "unhealthy")
        took = time.monotonic() - begin
        with lab.inside("gateway"):
            expect("its health port", harness.connects(TWO, 8080), True)
        wait_for("it has no rows", lambda: shares(lab)[TWO] == 0)
    finally:
        appliances[TWO].send_signal(signal.SIGCONT)
    wait_for("it is healthy", lambda: shares(lab)[TWO] > 0)
    return f"unhealthy after {1000 * took:.0f} ms"


class Arrivals:
    """What comes to an appliance's interface, in order, whether the appliance lives or not."""

    def __init__(self, lab, namespace):
        with lab.inside(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind(("eth0", 0x0800))

    def since(self, begin_ns):
        """Probes that came before the last packet of a flow, all probes, and when that packet came."""
        probes, before, last_ns = 0, 0, begin_ns
        while True:
            try:
                frame, more, _, source = self.socket.recvmsg(2000, 100, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return before, probes, last_ns
            stamp = int.from_bytes(more[0][2][:8], "little") * 10**9 + int.from_bytes(more[0][2][8:16], "little")
            if source[2] == socket.PACKET_OUTGOING or frame[36:38] != GENEVE_PORT or stamp < begin_ns:
                continue
            if frame[COOKIE] == PROBE_COOKIE:
                probes += 1
            else:
                before, last_ns = probes, stamp


def left_after(lab):
    """(probes, ms) from the death of an appliance to the last packet that was sent to it; nothing if the other one was too
    busy to answer, too, so that the flows had nowhere to go, or if there was no load on the dead one."""
    def alarms():
        return lab.log("gateway", "sluiced").count(f"target {TWO}:6081 of pass is unhealthy")
    wait_for("rows", lambda: min(shares(lab).values()) > 0)
    false_alarms, load, arrivals = alarms(), Load(lab), Arrivals(lab, NAMES[ONE])
    wait_for("all flows arrive", lambda: len(load.arrivals) == FLOWS)
    doomed = {f["source_port"] for f in lab.flows(protocol="udp", target=ONE)} & set(load.arrivals)
    appliances[ONE].kill()
    appliances[ONE].wait()
    killed, killed_ns = time.monotonic(), time.time_ns()
    wait_for("it has no rows", lambda: shares(lab)[ONE] == 0)
    wait_for("its flows arrive again", lambda: all(load.arrivals[p][-1] > killed for p in doomed))
    moved = time.monotonic()
    wait_for("all flows arrive after that", lambda: all(a[-1] > moved for a in load.arrivals.values()))
    load.stop()
    before, probes, last_ns = arrivals.since(killed_ns)
    load.close(lab)
    arrivals.socket.close()
    start(lab, ONE)
    if alarms() != false_alarms or last_ns == killed_ns:
        return None
    expect("probes were sent to it", probes > 0, True)
    return before, (last_ns - killed_ns) // 10**6


def within_a_second(lab):
    text = lab.config.read_text()
    lab.config.write_text(text.replace('interval_ms: "400"', f'interval_ms: "{INTERVAL_MS}"'))
    os.kill(lab.pid("gateway"), signal.SIGHUP)
    lab.wait_for_log("gateway", "sluiced", "again: 1 changes")
    for _ in range(ROUNDS_MOST):
        if told := left_after(lab):
            expect(f"at most {PROBES_MOST} probes until its flows have left: {told}", told[0] <= PROBES_MOST, True)
            return f"left after {told[0]} probes, {told[1]} ms"
    raise harness.Failure(f"too busy for each of {ROUNDS_MOST} rounds")


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/failure.yaml", [
        ("attributes: {deregistration_delay.timeout_seconds: \"1\"}", GROUP),
        ("timeout_seconds: 1,", "timeout_seconds: 1, unhealthy_threshold_count: 10,"),
    ]), ready, a_dead_appliance_under_load, one_that_only_accepts, within_a_second)
