#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Probes through the tunnel, five in two seconds, the third that is missed counts; checks of the health port need ten failures,
one a second. An appliance is killed under load, and another one only stops to work while its kernel goes on to accept.
"""
import signal
import socket
import threading
import time

import harness
from failure_test import ONE, TWO, NAMES, Since, appliances, shares, start
from harness import becomes, expect, wait_for

APP = ("10.1.0.11", 7000)
FLOWS = 40
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
        for port in range(30000, 30000 + FLOWS):
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


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/failure.yaml", [
        ("attributes: {deregistration_delay.timeout_seconds: \"1\"}", GROUP),
        ("timeout_seconds: 1,", "timeout_seconds: 1, unhealthy_threshold_count: 10,"),
    ]), ready, a_dead_appliance_under_load, one_that_only_accepts)
