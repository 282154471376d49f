#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway between two hosts who do not know about it: TCP, UDP, ICMP, ARP and neighbour discovery, IPv4 and IPv6.

  client 10.1.0.2 fd01::2 -- out0 [gateway] in0 -- app1 10.1.0.11 fd01::11 (nginx), echo 10.1.0.21 fd01::21
                                    gen0 -- ids1, ids2
"""
import json
import socket
import struct

import harness
from harness import expect, wait_for

APPS = {"10.1.0.2": ("10.1.0.11", "10.1.0.21"), "fd01::2": ("fd01::11", "fd01::21")}


def reachable(lab):
    """Duplicate address detection takes a moment; after it every neighbour is known and nothing is dropped."""
    lab.wait_until_healthy("ids")
    with lab.inside("client"):
        for app, echo in APPS.values():
            wait_for(f"{app} answers", lambda: harness.connects(app, 80))
            wait_for(f"{echo} answers", lambda: harness.connects(echo, 7000))


def tcp(lab):
    for port, (source, (app, _)) in enumerate(APPS.items(), 41000):
        with lab.inside("client"):
            status, body = harness.http(app, path="/hello", local=(source, port))
        expect("the answer", (status, body.decode()), (200, f"web at {app}: /hello\n"))
        flow = lab.closed_flow(port=port)
        expect("its ends", (flow["source"], flow["destination"], flow["destination_port"]), (source, app, 80))
        # SYN, ACK, request, FIN at least; SYN ACK, response, FIN.
        expect("packets both ways", flow["packets_forward"] >= 4 and flow["packets_back"] >= 3, True)


def udp(lab):
    """500 datagrams on 50 flows come back, and each flow's packets are counted both ways at one appliance."""
    used = set()
    for source, (_, echo) in APPS.items():
        for port in range(42000, 42050):
            with lab.inside("client"), harness.udp_socket(source, port) as s:
                for i in range(10):
                    s.sendto(b"datagram %d" % i, (echo, 7000))
                    expect("the answer", s.recvfrom(100)[0], b"datagram %d" % i)
            flow = lab.flow(protocol="udp", port=port, address=source)
            expect("packets both ways", (flow["packets_forward"], flow["packets_back"]), (10, 10))
            used.add(flow["appliance"])
    expect("appliances in use", used, {"10.9.0.11", "10.9.0.12"})


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def icmp(lab):
    for source, (_, echo) in APPS.items():
        v6 = ":" in source
        protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
        with lab.inside("client"), socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW,
                                                 protocol) as s:
            s.settimeout(30)
            for sequence in range(5):
                body = struct.pack("!HH8s", 7, sequence, b"sequence")
                ask = struct.pack("!BBH", 128 if v6 else 8, 0, 0) + body
                if not v6:
                    ask = struct.pack("!BBH", 8, 0, checksum(ask)) + body
                s.sendto(ask, (echo, 0))
                answer = b""
                while answer[:1] != (b"\x81" if v6 else b"\0") or answer[4:] != body:
                    answer = s.recv(100)[0 if v6 else 20:]
        flow = lab.flow(protocol="icmpv6" if v6 else "icmp", address=echo)
        expect("packets both ways", (flow["packets_forward"], flow["packets_back"]), (5, 5))


def neighbours(lab):
    """Each end knows the other's own MAC address: the gateway is invisible."""
    macs = {n: json.loads(lab.run(n, "ip", "-j", "link", "show", "eth0"))[0]["address"] for n in ("client", "echo")}
    for here, there, addresses in (("client", "echo", APPS["10.1.0.2"][1:] + APPS["fd01::2"][1:]),
                                   ("echo", "client", tuple(APPS))):
        known = {n["dst"]: n.get("lladdr") for n in json.loads(lab.run(here, "ip", "-j", "neigh"))}
        expect(f"what {here} knows", [known.get(a) for a in addresses], [macs[there]] * 2)


def large_datagrams(lab):
    """Fragments of 8 KB datagrams pass, too."""
    data = bytes(range(256)) * 32
    for source, (_, echo) in APPS.items():
        with lab.inside("client"), harness.udp_socket(source, 42100) as s:
            s.sendto(data, (echo, 7000))
            expect("the answer", s.recvfrom(10000)[0] == data, True)


def nothing_uninspected(lab):
    """What was sent to the appliances came back, what came back was delivered, and nothing else was; the appliances
    counted the same."""
    def counts():
        targets = [t for t in lab.ask("targets")["targets"] if t["protocol"] == "GENEVE"]
        verdicts = lab.verdicts()
        with lab.inside("gateway"):
            stats = [json.loads(harness.http(t["id"], 8080, "/stats")[1]) for t in targets]
        return {
            "to targets": verdicts["target"],
            "sent": sum(t["packets_sent"] for t in targets),
            "received by appliances": sum(s["received"] for s in stats),
            "returned by appliances": sum(s["returned"] for s in stats),
            "returned": sum(t["packets_returned"] for t in targets),
            "delivered": verdicts["inside"] + verdicts["outside"],
        }
    packets = harness.wait_for_equal(counts)
    expect("there were enough", packets > 2000, True)
    expect("packets that crossed (ARP, neighbour discovery)", lab.verdicts()["cross"] > 0, True)
    return f"{packets} packets sent, inspected and delivered"


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/lab/demo.yaml"), reachable, tcp, udp, icmp, neighbours, large_datagrams,
                nothing_uninspected)
