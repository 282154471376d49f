#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A policy by application: visitors do not get YouTube, and the record says why.

  visitor 10.1.0.3 -- out1 [gateway] in1 -- app1 (nginx)      gen0 -- dpi1
"""
import os
import signal

import harness
from harness import becomes, expect, wait_for


def ready(lab):
    lab.wait_until_healthy("dpi", "ids")
    for namespace in ("visitor", "client"):
        with lab.inside(namespace):
            wait_for("the application answers", lambda: harness.connects("10.1.0.11", 80))


def ask(host, port):
    return harness.http("10.1.0.11", path=f"/for/{host}", headers=[f"Host: {host}", "User-Agent: curl/7.88.1"],
                        timeout=3 if "youtube" in host else 30, local=("10.1.0.3", port))


def youtube_is_blocked(lab):
    hosts = {43001: "www.youtube.com", 43002: "www.example.com", 43003: "m.youtube.com", 43004: "debian.org"}
    with lab.inside("visitor"):
        answers = {host: ask(host, port) for port, host in hosts.items()}
    expect("who is answered", {host: bool(a) for host, a in answers.items()},
           {"www.youtube.com": False, "www.example.com": True, "m.youtube.com": False, "debian.org": True})
    for host in ("www.example.com", "debian.org"):
        lab.wait_for_log("app1", "nginx", f"/for/{host}")
    expect("YouTube at the application", "youtube" in lab.log("app1", "nginx"), False)


def nobody_else_is(lab):
    """The client's packets go to the IDS, which has no such policy."""
    with lab.inside("client"):
        expect("YouTube for the client", harness.http("10.1.0.11", headers=["Host: www.youtube.com"])[0], 200)


def events(lab, kind):
    return {e["src_port"]: e for e in harness.events_of(lab.run_folder / "dpi1-eve.json")
            if e["event_type"] == kind and e.get("dest_port") == 80}


def records(lab):
    """Each flow's record, written at the latest when the appliance ends, names the application and the verdict."""
    becomes("drops", lambda: {port: e["ndpi"]["proto"] for port, e in events(lab, "drop").items()},
            {43001: "HTTP.YouTube", 43003: "HTTP.YouTube"})
    os.kill(lab.pid("dpi1"), signal.SIGTERM)
    wait_for("flow events", lambda: {43001, 43002, 43003, 43004} <= set(events(lab, "flow")))
    flows = events(lab, "flow")
    expect("who is allowed", {port: (flows[port]["verdict"]["action"] == "allow", flows[port]["ndpi"]["hostname"])
                        for port in (43001, 43002, 43003, 43004)},
           {43001: (False, "www.youtube.com"), 43002: (True, "www.example.com"),
            43003: (False, "m.youtube.com"), 43004: (True, "debian.org")})
    expect("applications", [flows[port]["ndpi"]["proto"] for port in (43001, 43003)], ["HTTP.YouTube"] * 2)


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/lab/demo.yaml"), ready, youtube_is_blocked, nobody_else_is, records)
