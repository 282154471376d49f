#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`sluice insert` and `sluice remove` on a path in use: traffic goes on, is inspected in between, and afterwards
everything is as it was. The lab is drawn in insert.yaml."""
import contextlib
import json
import os
import socket
import threading
import time

import harness
from harness import becomes, expect, wait_for

SERVERS = {"10.2.0.2": "10.2.0.11", "fd02::2": "fd02::11"}
DROPPED_S = 1  # for what must not come
conversation = []  # a connection that lives through all of it
before = {}


def ready(lab):
    lab.wait_until_healthy("ids")
    with lab.inside("server"):
        lab.resources.enter_context(harness.Server("server", 7000))
    lab.run("office", "ip", "neigh", "replace", "10.2.0.99", "lladdr", "02:00:00:00:00:99", "dev", "eth0")
    lab.run("office", "ip", "link", "set", "eth0", "alias", "uplink", "txqueuelen", "500")
    with lab.inside("office"):
        for client, server in SERVERS.items():
            wait_for(f"{server} answers", lambda: harness.connects(server, 7000))
            s = lab.resources.enter_context(socket.create_connection((server, 7000), 60, (client, 42000)))
            expect("the greeting", s.recv(100).decode(), f"server {client} ")
            conversation.append(s)
    wait_for("duplicate address detection ends", lambda: "tentative" not in str(look(lab)["addresses"]))
    before.update(look(lab))


def look(lab):
    """All that `ip` and `ethtool` know about the office's interface."""
    def ip(*words):
        return json.loads(lab.run("office", "ip", "-d", "-j", *words) or "[]")
    neighbours = ip("neigh", "show", "dev", "eth0", "nud", "permanent")
    return {"link": ip("link", "show", "dev", "eth0"), "addresses": ip("addr", "show", "dev", "eth0"),
            "routes": ip("route", "show", "table", "all"), "routes6": ip("-6", "route", "show", "table", "all"),
            "neighbours": neighbours, "offloads": lab.run("office", "ethtool", "-k", "eth0"),
            "gateway": [link["ifname"] for link in json.loads(lab.run("gateway", "ip", "-j", "link"))]}


def say(s, text):
    """Whether the server sends the text back."""
    s.sendall(text)
    return s.recv(100) == text


def asks(lab, marked, patience=60):
    """Which servers answer a request on a new connection."""
    request = b"MARKED REQUEST" if marked else b"a request"
    answered = []
    with lab.inside("office"):
        for client, server in SERVERS.items():
            with socket.create_connection((server, 7000), 60) as s:
                s.recv(len(f"server {client} "), socket.MSG_WAITALL)
                s.settimeout(patience)
                s.sendall(request)
                try:
                    answered.append(s.recv(100) == request)
                except TimeoutError:
                    answered.append(False)
    return answered


def uninspected(lab):
    expect("a request, a marked request", [asks(lab, False), asks(lab, True)], [[True] * 2, [True] * 2])
    expect("packets at the gateway", lab.ask("targets")["targets"][0]["packets_sent"], 0)


def sluice(lab, *words):
    return harness.command(harness.BIN / "sluice", *words, "--socket", lab.socket)


def while_talking(lab, action):
    """Does it while datagrams go to the server and back, one a millisecond; says how long nothing came."""
    stop, answers = threading.Event(), [time.monotonic()]

    def talk(s):
        while not stop.wait(0.001):
            with contextlib.suppress(OSError):  # no route, or nobody answers, for a moment
                s.sendto(b"?", ("10.2.0.11", 7000))
                s.recv(100)
                answers.append(time.monotonic())
    with lab.inside("office"), harness.udp_socket("10.2.0.2", timeout=0.01) as s:
        talker = threading.Thread(target=talk, args=(s,))
        talker.start()
        try:
            wait_for("a conversation", lambda: len(answers) > 50)
            action()
            done, goal = time.monotonic(), len(answers) + 50
            wait_for("it goes on", lambda: len(answers) > goal)
        finally:
            stop.set()
            talker.join()
    expect("answers afterwards", answers[-1] > done, True)
    silence = max(after - before for before, after in zip(answers, answers[1:]))
    return f"{len(answers)} datagrams answered, nothing for at most {silence * 1000:.0f} ms"


def insert(lab):
    said = []
    note = while_talking(lab, lambda: said.append(sluice(lab, "insert", f"{lab.name}-office", "eth0", "--gateway-netns",
                                                         f"{lab.name}-gateway")))
    expect("what is said of the store", "has no store (gateway.store)" in said[0], True)
    now = look(lab)
    for what in ("routes", "routes6", "neighbours"):
        becomes(f"{what} of the office", lambda w=what: look(lab)[w], before[what])
    for what in ("ifindex", "ifname", "address", "mtu", "txqlen", "ifalias"):
        expect(f"{what} of eth0", now["link"][0][what], before["link"][0][what])
    expect("addresses", now["addresses"][0]["addr_info"], before["addresses"][0]["addr_info"])
    return note


def inspected(lab):
    """The connections that were there go on, new ones work, and marked requests end at the appliance."""
    expect("the old connections", [say(s, b"still there?") for s in conversation], [True, True])
    expect("a request, a marked request", [asks(lab, False), asks(lab, True, DROPPED_S)], [[True] * 2, [False] * 2])
    flow = lab.flow(protocol="tcp", port=42000, address="10.2.0.2")
    expect("both directions", min(flow["packets_forward"], flow["packets_back"]) > 0, True)
    return f"{lab.ask('targets')['targets'][0]['packets_returned']} packets inspected"


def remove(lab):
    note = while_talking(lab, lambda: sluice(lab, "remove", f"{lab.name}-office", "eth0"))
    for what, was in before.items():
        becomes(what, lambda w=what: look(lab)[w], was)
    expect("the record", [n for n in os.listdir("/run/sluice/splices") if n.startswith(lab.name)], [])
    return note


def uninspected_again(lab):
    expect("the old connections", [say(s, b"and now?") for s in conversation], [True, True])
    sent = lab.ask("targets")["targets"][0]["packets_sent"]
    expect("a request, a marked request", [asks(lab, False), asks(lab, True)], [[True] * 2, [True] * 2])
    expect("packets at the gateway", lab.ask("targets")["targets"][0]["packets_sent"], sent)


def once_more(lab):
    """It can be done again."""
    insert(lab)
    expect("a marked request", asks(lab, True, DROPPED_S), [False] * 2)
    remove(lab)
    expect("a marked request", asks(lab, True), [True] * 2)


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/insert.yaml"),
                ready, uninspected, insert, inspected, remove, uninspected_again, once_more, tools=("ethtool",))
