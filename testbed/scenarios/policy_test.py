#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of a policy: a chain of an IDS and a DPI appliance, whose replies come back through both backwards; flows
that pass uninspected, flows that are dropped, and what no rule is about.

  client -- out0 [gateway] in0 -- server        gen0 -- ids, dpi
"""
import socket

import harness
from harness import becomes, expect, wait_for

SERVER = "10.1.0.11"
CHAIN = 7000
DROPPED = 7023
TRUSTED = 7100
OTHER = 7200


def counts(lab):
    """What was sent to each appliance, and what came back."""
    out = []
    for group in ("ids", "dpi"):
        for target in lab.targets(group).values():
            out += [target["packets_sent"], target["packets_returned"]]
    return out


def since(lab, before):
    return [now - then for now, then in zip(counts(lab), before)]


def ask(port, local, data, count=1):
    """Sends datagrams and has each answered."""
    with harness.udp_socket("10.1.0.2", local) as s:
        s.connect((SERVER, port))
        for _ in range(count):
            s.send(data)
            expect("the answer", s.recv(500).endswith(data), True)


def tell(port, local, data, count):
    with harness.udp_socket("10.1.0.2", local) as s:
        s.connect((SERVER, port))
        for _ in range(count):
            s.send(data)


def rules(lab):
    return {rule["name"]: rule for rule in lab.ask("policy")["rules"]}


def ready(lab):
    harness.without_ipv6(lab, "client", "server")
    with lab.inside("server"):
        for port in (CHAIN, DROPPED, TRUSTED, OTHER):
            lab.resources.enter_context(harness.Server("server", port))
    lab.wait_until_healthy("ids", "dpi")

    def answered():
        with harness.udp_socket("10.1.0.2", 41999, timeout=0.2) as s:
            s.connect((SERVER, TRUSTED))
            try:
                s.send(b"x")
                return s.recv(500)
            except OSError:
                return None
    with lab.inside("client"):  # until the neighbours are known
        wait_for("an answer", answered)
    expect("what the appliances saw", counts(lab), [0, 0, 0, 0])


def a_chain_visits_both(lab):
    before = counts(lab)
    with lab.inside("client"):
        ask(CHAIN, 42001, b"hello", 50)
    expect("packets", since(lab, before), [100, 100, 100, 100])
    flow = lab.flow(protocol="udp", port=42001)
    expect("the flow", (flow["rule"], flow["appliance"], flow["packets_delivered"]),
           ("both", "10.9.0.11 > 10.9.0.12", 100))
    told = lab.ask("explain", protocol="udp", source="10.1.0.2", source_port=42099, destination=SERVER,
                   destination_port=CHAIN)
    expect("the rule that is told", told["rule"], "both")


def requests_meet_the_ids_first(lab):
    before = counts(lab)
    with lab.inside("client"):
        tell(CHAIN, 42002, b"BAD REQUEST", 5)
        becomes("packets", lambda: since(lab, before), [5, 0, 0, 0])
        ask(CHAIN, 42003, b"good")
    expect("packets", since(lab, before), [7, 2, 2, 2])


def replies_meet_it_last(lab):
    before = counts(lab)
    with lab.inside("client"):
        # The IDS takes nothing more of a flow that it has dropped from. One after the other: two CPUs that count at the
        # same moment would count once.
        for i in range(1, 6):
            tell(CHAIN, 42009 + i, b"BAD ANSWER", 1)  # the server sends it back
            becomes("packets", lambda: since(lab, before), [2 * i, i, 2 * i, 2 * i])
    expect("what was delivered", lab.flow(protocol="udp", port=42010)["packets_delivered"], 1)


def tcp_survives_two_appliances(lab):
    before = counts(lab)
    data = bytes(range(256)) * 4096
    with lab.inside("client"), socket.create_connection((SERVER, CHAIN), 30) as s:
        s.settimeout(harness.PATIENCE_S)
        wanted = len("server 10.1.0.2 ") + len(data)
        got = b""
        sent = 0
        while len(got) < wanted:
            if sent < len(data):
                sent += s.send(data[sent:sent + 65536])
            got += s.recv(1 << 20)
        local = s.getsockname()[1]
    expect("what came back", got.removeprefix(b"server 10.1.0.2 ") == data, True)
    expect("the rule", lab.closed_flow(port=local)["rule"], "web")
    # Not more exactly: two CPUs may count at the same moment, and then one of them is not seen.
    passed = since(lab, before)
    expect(f"both have seen it: {passed}", min(passed) > len(data) / 65536, True)


def trusted_flows_pass_by(lab):
    before = counts(lab)
    bypassed = lab.ask("counters")["events"]["bypassed"]
    with lab.inside("client"):
        ask(TRUSTED, 42005, b"hello", 50)
    expect("packets", since(lab, before), [0, 0, 0, 0])
    expect("uninspected", lab.ask("counters")["events"]["bypassed"] - bypassed, 100)
    flow = lab.flow(protocol="udp", port=42005)
    expect("the flow", (flow["rule"], flow["bypassed"], flow["appliance"]), ("trusted", True, ""))


def others_go_where_the_listener_says(lab):
    before = counts(lab)
    with lab.inside("client"):
        ask(OTHER, 42006, b"hello", 20)
    expect("packets", since(lab, before), [0, 0, 40, 40])
    expect("a rule", "rule" in lab.flow(protocol="udp", port=42006), False)


def what_is_forbidden_is_dropped(lab):
    before = counts(lab)
    with lab.inside("client"):
        expect("a connection", harness.connects(SERVER, DROPPED), False)
    drops = lab.drops()
    expect("drops", list(drops), ["policy"])
    expect("by the rule", rules(lab)["no-telnet"]["packets_dropped"], drops["policy"])
    expect("packets", since(lab, before), [0, 0, 0, 0])
    began = {name: rule["flows"] for name, rule in rules(lab).items() if name != "trusted"}
    expect("flows that began by the rules", began, {"no-telnet": 0, "both": 8, "web": 1})


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/policy.yaml"), ready, a_chain_visits_both, requests_meet_the_ids_first,
                replies_meet_it_last, tcp_survives_two_appliances, trusted_flows_pass_by,
                others_go_where_the_listener_says, what_is_forbidden_is_dropped)
