#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Network load balancers: the client's address reaches the servers, answers come from the listener's address, both
directions of a flow pass the same appliance. The lab is drawn in nlb.yaml."""
import collections
import socket

import harness
from harness import expect, wait_for

SERVERS = ("one", "two", "three")
LISTENERS = {"10.1.0.2": "10.1.0.100", "fd01::2": "fd01::100"}  # by client
BACKENDS = {f"{prefix}{number}": name for prefix in ("10.1.0.", "fd01::")
            for number, name in zip((21, 22, 23), SERVERS)}
servers = {}


def ready(lab):
    """The servers come late: their targets become healthy when they are there."""
    for name in SERVERS:
        with lab.inside(name):
            servers[name] = lab.resources.enter_context(harness.Server(name, 7000))
    lab.wait_until_healthy("ids", "udp4", "tcp4", "udp6", "tcp6")
    with lab.inside("client"):
        for listener in LISTENERS.values():
            wait_for(f"{listener} answers", lambda: harness.connects(listener, 80))


def flow_is_right(lab, protocol, client, port, backend):
    """One flow from the client to the listener, and the backend is the one that answered. Returns its appliance."""
    flow = lab.flow(protocol=protocol, address=client, port=port)
    expect("its destination", flow["destination"], LISTENERS[client])
    expect("its backend", BACKENDS[flow["backend"]], backend)
    expect("both directions", min(flow["packets_forward"], flow["packets_back"]) > 0, True)
    return flow["appliance"]


def udp(lab):
    """40 flows of 5 datagrams each and address family."""
    used, appliances = collections.Counter(), collections.Counter()
    for client, listener in LISTENERS.items():
        for port in range(42000, 42040):
            answers = set()
            with lab.inside("client"), harness.udp_socket(client, port) as s:
                for i in range(5):
                    s.sendto(b"%d" % i, (listener, 53))
                    data, peer = s.recvfrom(100)
                    name, seen, number = data.decode().split()
                    expect("the answer's number", int(number), i)
                    expect("the answer comes from", peer[:2], (listener, 53))
                    expect("the server saw", seen, client)
                    answers.add(name)
            expect("servers of a flow", len(answers), 1)
            used.update(answers)
            appliances[flow_is_right(lab, "udp", client, port, *answers)] += 1
            flow = lab.flow(protocol="udp", address=client, port=port)
            expect("packets both ways", (flow["packets_forward"], flow["packets_back"]), (5, 5))
    expect("servers in use", sorted(used), sorted(SERVERS))
    expect("appliances in use", sorted(appliances), ["10.9.0.11", "10.9.0.12"])
    return f"{dict(used)}, {dict(appliances)}"


def tcp(lab):
    """40 connections for each address family; 100 KB there and back in each."""
    used, appliances = collections.Counter(), collections.Counter()
    data = bytes(range(256)) * 400
    for client, listener in LISTENERS.items():
        for port in range(43000, 43040):
            with lab.inside("client"), socket.create_connection((listener, 80), 60, (client, port)) as s, \
                    s.makefile("rb") as stream:
                greeting = b""
                while greeting.count(b" ") < 2:
                    greeting += stream.read(1)
                name, seen = greeting.decode().split()
                expect("the server saw", seen, client)
                expect("the peer", s.getpeername()[:2], (listener, 80))
                for start in range(0, len(data), 10240):
                    s.sendall(data[start:start + 10240])
                    expect("the echo", stream.read(10240) == data[start:start + 10240], True)
            used[name] += 1
            appliances[flow_is_right(lab, "tcp", client, port, name)] += 1
    expect("servers in use", sorted(used), sorted(SERVERS))
    expect("appliances in use", sorted(appliances), ["10.9.0.11", "10.9.0.12"])
    return f"{dict(used)}, {dict(appliances)}"


def server_gone(lab):
    """A server that is no more gets no new flows; the others get them all."""
    servers["two"].close()
    for group in ("udp4", "tcp4"):
        lab.without_rows(group, "10.1.0.22")
    used = set()
    with lab.inside("client"):
        for port in range(44000, 44030):
            with harness.udp_socket("10.1.0.2", port) as s:
                s.sendto(b"x", ("10.1.0.100", 53))
                used.add(s.recvfrom(100)[0].split()[0].decode())
            with socket.create_connection(("10.1.0.100", 80), 60, ("10.1.0.2", port)) as s:
                used.add(s.recv(100).split()[0].decode())
    expect("servers in use", used, {"one", "three"})


def nothing_lost(lab):
    expect("drops by the load balancer", {n: c for n, c in lab.drops().items() if n.startswith("nlb_")}, {})
    return f"{lab.wait_until_settled()} packets sent, inspected and delivered"


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/nlb.yaml"), ready, udp, tcp, server_gone, nothing_lost)
