#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Path MTU discovery through a network load balancer: connections work although a link behind the client's router and one
behind the target's router are small, because what these routers say arrives, about packets as their senders know them. The
lab is drawn in nlb_pmtud.yaml."""
import re

import harness
from harness import becomes, expect

# By family: the client, the listener, the target, and their links.
FAMILIES = {"4": ("10.2.0.2", "10.1.0.100", "10.3.0.24", "10.2.0.0/24", "10.3.0.0/24"),
            "6": ("fd02::2", "fd01::100", "fd03::24", "fd02::/64", "fd03::/64")}
MTU = {"near": 1400, "edge": 1390}


def ready(lab):
    for router in MTU:
        with lab.inside(router):
            for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                with open(f"/proc/sys/net/{switch}", "w", encoding="ascii") as file:
                    file.write("1")
    with lab.inside("deep"):
        lab.resources.enter_context(harness.Server("deep", 7000))
    lab.wait_until_healthy("pass", "deep4", "deep6")
    with lab.inside("far"):
        for _, listener, *_ in FAMILIES.values():
            harness.wait_for(f"{listener} answers", lambda a=listener: harness.connects(a, 80))


def shrink(lab):
    """The whole way carries 1500 bytes until now; hosts do not know what is behind their router."""
    for family, (_, _, _, outer, inner) in FAMILIES.items():
        for router, link in (("near", outer), ("edge", inner)):
            # Before, or in the place of, the route that the kernel has made for the interface's address.
            lab.run(router, "ip", f"-{family}", "route", "replace", link, "dev", "eth1", "metric", "0" if family == "4" else "1",
                    "mtu", "lock", MTU[router])


def told(lab, namespace):
    """ICMP and ICMPv6 of a namespace: errors about sizes that came in and went out, and any that came in broken."""
    with lab.inside(namespace):
        with open("/proc/thread-self/net/snmp", encoding="ascii") as file:
            names, values = (line.split()[1:] for line in file if line.startswith("Icmp: "))
        with open("/proc/thread-self/net/snmp6", encoding="ascii") as file:
            six = dict(line.split() for line in file)
    four = dict(zip(names, map(int, values)))
    return {"4": {"in": four["InDestUnreachs"], "out": four["OutDestUnreachs"], "broken": four["InErrors"] + four["InCsumErrors"]},
            "6": {"in": int(six["Icmp6InPktTooBigs"]), "out": int(six["Icmp6OutPktTooBigs"]),
                  "broken": int(six["Icmp6InErrors"]) + int(six["Icmp6InCsumErrors"])}}


def path_mtu(lab, namespace, address):
    """What the namespace's kernel has learned of the way to an address; 0: nothing."""
    found = re.search(r"\bmtu (\d+)", lab.run(namespace, "ip", "route", "get", address))
    return int(found[1]) if found else 0


def data_comes_back(lab):
    """More than a packet, both ways; what is too big for near is the target's, what is too big for edge the client's."""
    before = {name: told(lab, name) for name in ("near", "edge", "far", "deep")}

    def since(name, family, what):
        return told(lab, name)[family][what] - before[name][family][what]
    notes = []
    for family, (client, listener, _, *_) in FAMILIES.items():
        with lab.inside("far"):
            expect(f"the data through {listener}", harness.comes_back(listener, 80), True)
        expect("the client has learned", path_mtu(lab, "far", listener), MTU["edge"])
        expect("the target has learned", path_mtu(lab, "deep", client), MTU["near"])
        for router, host in (("near", "deep"), ("edge", "far")):
            sent = since(router, family, "out")
            expect(f"{router} said something", sent > 0, True)
            becomes(f"what {host} heard of {router}", lambda h=host, f=family: since(h, f, "in"), sent)
            expect(f"broken at {host}", since(host, family, "broken"), 0)
            notes.append(f"{sent} of {router}")
    expect("drops by the load balancer", {n: c for n, c in lab.drops().items() if n.startswith("nlb_")}, {})
    return ", ".join(notes)


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/nlb_pmtud.yaml"), ready, shrink, data_comes_back)
