#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Traffic through appliances that know nothing of Sluice: two kernels with NAT rules.
The lab is drawn in hairpin.yaml."""
import collections
import socket

import harness
from harness import expect, wait_for

APPS = {"10.1.0.2": "10.1.0.11", "fd01::2": "fd01::11"}


def ready(lab):
    with lab.inside("app"):
        lab.resources.enter_context(harness.Server("app", 7000))
    lab.wait_until_healthy("kernels")
    with lab.inside("client"):
        for app in APPS.values():
            wait_for(f"{app} answers", lambda: harness.connects(app, 7000))


def udp(lab):
    used = collections.Counter()
    for client, app in APPS.items():
        for port in range(42000, 42020):
            with lab.inside("client"), harness.udp_socket(client, port) as s:
                for i in range(5):
                    s.sendto(b"%d" % i, (app, 7000))
                    expect("the answer", s.recvfrom(100)[0], f"app {client} {i}".encode())
            flow = lab.flow(protocol="udp", address=client, port=port)
            expect("packets both ways", (flow["packets_forward"], flow["packets_back"]), (5, 5))
            used[flow["appliance"]] += 1
    expect("appliances in use", sorted(used), ["10.9.0.11", "10.9.0.12"])
    return f"{dict(used)} flows"


def tcp(lab):
    """200 KB there and back in each of 20 connections, both families, both appliances."""
    used = collections.Counter()
    data = bytes(range(256)) * 800
    for client, app in APPS.items():
        for port in range(43000, 43010):
            with lab.inside("client"), socket.create_connection((app, 7000), 60, (client, port)) as s, \
                    s.makefile("rb") as stream:
                greeting = f"app {client} ".encode()
                expect("the greeting", stream.read(len(greeting)), greeting)
                for start in range(0, len(data), 20480):
                    s.sendall(data[start:start + 20480])
                    expect("the echo", stream.read(20480) == data[start:start + 20480], True)
            flow = lab.closed_flow(address=client, port=port)
            expect("bytes both ways", min(flow["bytes_forward"], flow["bytes_back"]) > len(data), True)
            used[flow["appliance"]] += 1
    expect("appliances in use", sorted(used), ["10.9.0.11", "10.9.0.12"])
    return f"{dict(used)} connections"


def nothing_lost(lab):
    packets = lab.wait_until_settled()
    expect("drops", lab.drops(), {})
    return f"{packets} packets sent and returned"


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/hairpin.yaml"), ready, udp, tcp, nothing_lost,
                tools=("iptables", "nft"))
