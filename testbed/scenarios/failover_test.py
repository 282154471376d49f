#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An appliance is killed while connections are made, and comes back. Checks run once a second, two failures count.

  client -- out0 [gateway] in0 -- echo        gen0 -- ids1 (dies), ids2
"""
import contextlib
import os
import pathlib
import select
import signal
import socket
import subprocess
import time

import harness
from harness import expect, wait_for

DEAD, SURVIVOR = "10.9.0.11", "10.9.0.12"
ECHO = ("10.1.0.21", 7000)
flows = {}  # by appliance: sockets of flows that were there before, UDP and TCP
killed = []  # the command line of what was killed


def state(lab):
    return lab.targets("ids")[DEAD]["state"]


def echoes(s, timeout=30):
    """Whether a socket's other end still answers."""
    s.settimeout(timeout)
    try:
        s.send(b"there?")
        return s.recv(100) == b"there?"
    except OSError:
        return False


def new_flow(timeout=60):
    """Whether a new connection to the echo works."""
    try:
        with socket.create_connection(ECHO, timeout) as s:
            return echoes(s, timeout)
    except OSError:
        return False


def new_flows(count, timeout=0.3):
    """How many of some new connections, all made at once, are there in this time."""
    with contextlib.ExitStack() as stack:
        poll = select.poll()
        for _ in range(count):
            s = stack.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(ECHO)
            poll.register(s, select.POLLOUT)
        made, deadline = 0, time.monotonic() + timeout
        while made < count and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                poll.unregister(descriptor)
                made += 1
        return made


def flows_before(lab):
    """Ten flows of each kind at each appliance."""
    lab.wait_until_healthy("ids")
    with lab.inside("client"):
        wait_for("the echo answers", lambda: harness.connects(*ECHO))
        for kind, protocol in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp")):
            for port in range(42000, 42200):
                s = lab.resources.enter_context(socket.socket(socket.AF_INET, kind))
                s.bind(("10.1.0.2", port))
                s.connect(ECHO)
                expect("the echo", echoes(s), True)
                mine = flows.setdefault((protocol, lab.flow(protocol=protocol, port=port)["appliance"]), [])
                if len(mine) < 10:
                    mine.append(s)
                if all(len(flows.get((protocol, a), ())) == 10 for a in (DEAD, SURVIVOR)):
                    break
    expect("flows of each", [len(flows[p, a]) for p in ("udp", "tcp") for a in (DEAD, SURVIVOR)], [10] * 4)


def dies(lab):
    """New connections fail only until the appliance is known to be dead; the survivor's flows never notice."""
    pid = lab.pid("ids1")
    killed.extend(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1])
    os.kill(pid, signal.SIGKILL)
    start, good, bad = time.monotonic(), 0, 0
    with lab.inside("client"):
        while state(lab) != "unhealthy":
            expect("noticed in time", time.monotonic() - start < harness.PATIENCE_S, True)
            worked = new_flows(10)
            good, bad = good + worked, bad + 10 - worked
            for s in flows["tcp", SURVIVOR][:2] + flows["udp", SURVIVOR][:2]:
                expect("a flow of the survivor", echoes(s), True)
    expect("some new connections failed, others not", good > 0 and bad > 0, True)
    took = time.monotonic() - start
    lab.without_rows("ids", DEAD)
    return f"unhealthy after {took:.1f} s; meanwhile {bad} new connections failed, {good} worked"


def all_new_flows_work(lab):
    with lab.inside("client"):
        expect("new connections that work", sum(new_flow() for _ in range(200)), 200)
        for protocol in ("udp", "tcp"):
            expect(f"the survivor's {protocol} flows", [echoes(s) for s in flows[protocol, SURVIVOR]], [True] * 10)
            expect(f"one of the dead's {protocol} flows", echoes(flows[protocol, DEAD][0], 0.2), False)
    return "200 of 200"


def ports(lab):
    """Of the clients of all connections at the one that was dead."""
    return {f["source_port"] for f in lab.flows(protocol="tcp", target=DEAD)}


def comes_back(lab):
    """It is healthy again, gets new flows, and its old ones go on where they were."""
    with lab.inside("ids1"):
        again = subprocess.Popen([harness.BIN / "sluice-ids", *killed[1:]],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lab.wait_until_healthy("ids")
        with lab.inside("client"):
            expect("its UDP flows", [echoes(s) for s in flows["udp", DEAD][1:]], [True] * 9)
            expect("its TCP flows", [echoes(s) for s in flows["tcp", DEAD][1:]], [True] * 9)
            before = ports(lab)
            expect("new connections that work", sum(new_flow() for _ in range(50)), 50)
        expect("it has new flows", ports(lab) - before != set(), True)
    finally:
        again.terminate()
        again.wait()


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/lab/demo.yaml"), flows_before, dies, all_new_flows_work, comes_back)
