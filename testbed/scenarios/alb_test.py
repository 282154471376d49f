#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An application load balancer behind the gateway: rules by host and path, inspected once and not twice.

  client -- out0 [gateway] in0 -- alb 10.1.0.80 (sluice-proxy) -- web: app1, app2   api: app2
                   gen0 -- ids1, ids2
"""
import collections

import harness
from harness import expect, wait_for

HOST_RULE = """          - priority: 5
            conditions: [{field: host-header, values: [api.example, "*.api.example"]}]
            actions: [{type: forward, target_group: api}]
          - priority: 10
"""
LAB = harness.Lab("testbed/lab/demo.yaml", [("          - priority: 10\n", HOST_RULE)])
ANSWERS = {"web at 10.1.0.11": "web", "web at 10.1.0.12": "web", "api at 10.1.0.12": "api"}


def ask(path, host="www.example", port=0):
    status, body = harness.http("10.1.0.80", path=path, headers=[f"Host: {host}"],
                                local=("10.1.0.2", port) if port else None)
    expect(f"status of {host}{path}", status, 200)
    who, _, rest = body.decode().partition(": ")
    expect("the path that the application saw", rest.strip(), path)
    return who


def ready(lab):
    lab.wait_until_healthy("ids", "web", "api")
    with lab.inside("client"):
        wait_for("the load balancer answers", lambda: harness.connects("10.1.0.80", 80))


def rules(lab):
    with lab.inside("client"):
        for host, path, group in (("www.example", "/", "web"), ("www.example", "/api", "web"),
                                  ("www.example", "/api/", "api"), ("www.example", "/api/users?id=7", "api"),
                                  ("www.example", "/API/users", "web"), ("api.example", "/", "api"),
                                  ("API.Example", "/index", "api"), ("v2.api.example", "/", "api"),
                                  ("api.example.org", "/", "web")):
            expect(f"the group of {host}{path}", ANSWERS[ask(path, host)], group)
    return "9 requests"


def round_robin(lab):
    with lab.inside("client"):
        used = collections.Counter(ask("/") for _ in range(20))
    expect("targets of web", used, {"web at 10.1.0.11": 10, "web at 10.1.0.12": 10})


def inspected_once(lab):
    """The client's connections pass an appliance both ways; the proxy's own are nobody's business."""
    used = set()
    for port in range(45000, 45020):
        with lab.inside("client"):
            ask("/api/x", port=port)
        flow = lab.closed_flow(address="10.1.0.2", port=port)
        expect("its destination", flow["destination"], "10.1.0.80")
        expect("both directions", min(flow["packets_forward"], flow["packets_back"]) >= 3, True)
        used.add(flow["appliance"])
    expect("appliances in use", used, {"10.9.0.11", "10.9.0.12"})
    expect("flows of the applications", [lab.flows(protocol="tcp", address=a) for a in ("10.1.0.11", "10.1.0.12")],
           [[], []])


def attack(lab):
    """An attack never reaches the load balancer, nor the application behind it."""
    with lab.inside("client"):
        expect("the attack", harness.http("10.1.0.80", path="/api/../../etc/passwd", timeout=1), None)
        ask("/after")  # what came before it is in the log by now, or will never be
    for app in ("app1", "app2"):
        expect(f"the attack at {app}", "passwd" in lab.log(app, "nginx"), False)


if __name__ == "__main__":
    harness.run(LAB, ready, rules, round_robin, inspected_once, attack)
