#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mirrors and shadows: copies go to a second appliance, the packets themselves go their way; what comes back of the
copies is compared and never delivered, whatever the second appliance does. At XDP, and then at TC.

  client -- out0 [gateway] in0 -- server        gen0 -- ids, tap, next (a shadow that this script plays)
"""
import os
import select
import signal
import socket
import threading

import harness
from harness import becomes, expect, wait_for

CLIENT, SERVER, GATEWAY = "10.1.0.2", "10.1.0.11", "10.9.0.1"
NEXT = "10.9.0.13"
TAPPED, SHADOWED, PASSING, WEB = 7000, 7100, 7200, 7000
HEADER = 40  # GENEVE with the options that the gateway sends; the cookie ends it


class Next:
    """An appliance: keeps what says KEEP, changes what says CHANGE, and of EVIL also sends back what it should not."""

    def __init__(self):
        self.tunnel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tunnel.bind((NEXT, 6081))
        self.checks = socket.create_server((NEXT, 8080))
        self.cookies = []  # of the flow itself, to be used with EVIL
        self.seen = 0
        self.stop, self.stopped = socket.socketpair()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.close()
        self.thread.join()
        for s in (self.tunnel, self.checks, self.stopped):
            s.close()

    def _serve(self):
        while True:
            ready, _, _ = select.select([self.stopped, self.checks, self.tunnel], [], [])
            if self.stopped in ready:
                return
            if self.checks in ready:
                self.checks.accept()[0].close()
            if self.tunnel in ready:
                self._answer(self.tunnel.recv(65536))

    def _answer(self, datagram):
        self.seen += 1
        if b"KEEP" in datagram:
            return
        if b"CHANGE" in datagram:
            datagram = datagram.replace(b"CHANGE", b"change")
        self._send(datagram)
        if b"EVIL" in datagram:
            for cookie in self.cookies:
                self._send(datagram[:HEADER - 4] + cookie.to_bytes(4, "big") + datagram[HEADER:])

    def _send(self, datagram):
        self.tunnel.sendto(datagram, (GATEWAY, 6081))


def mirror(lab, rule):
    return next(r["mirror"] for r in lab.ask("policy")["rules"] if r["name"] == rule)


def some(lab, rule, *names):
    counts = mirror(lab, rule)
    return {name: counts[name] for name in names}


def ask(port, local, data, count=1, answered=True):
    """Sends datagrams, each when the one before is answered, and nothing is answered twice."""
    with harness.udp_socket(CLIENT, local) as s:
        s.connect((SERVER, port))
        for number in range(count):
            message = data + b" %d" % number
            s.send(message)
            if answered:
                expect("the answer", s.recv(500), b"server 10.1.0.2 " + message)
        s.setblocking(False)
        try:
            expect("one more answer", s.recv(500), None)
        except BlockingIOError:
            pass


def ready(lab):
    harness.without_ipv6(lab, "client", "server")
    with lab.inside("next"):
        lab.next = lab.resources.enter_context(Next())
    with lab.inside("server"):
        for port in (7000, SHADOWED, PASSING, 7999):
            lab.resources.enter_context(harness.Server("server", port))
    lab.wait_until_healthy("ids", "tap", "next")

    def answered():
        with harness.udp_socket(CLIENT, 41999, timeout=0.2) as s:
            s.connect((SERVER, 7999))
            try:
                s.send(b"x")
                return s.recv(500)
            except OSError:
                return None
    with lab.inside("client"):  # until the neighbours are known
        wait_for("an answer", answered)


def a_tap_gets_every_packet(lab):
    before = lab.verdicts()["mirror"]
    with lab.inside("client"):
        ask(TAPPED, 42001, b"hello", 50)
    becomes("copies", lambda: some(lab, "tapped", "copied", "sent", "answers", "lost", "unsent"),
            {"copied": 100, "sent": 100, "answers": 100, "lost": 0, "unsent": 0})
    expect("ended", lab.verdicts()["mirror"] - before, 100)
    flow = lab.flow(protocol="udp", port=42001)
    expect("the flow", (flow["appliance"], flow["mirror"], flow["packets_delivered"]), ("10.9.0.11", "tap", 100))
    told = lab.ask("explain", protocol="udp", source=CLIENT, source_port=42099, destination=SERVER,
                   destination_port=TAPPED)
    expect("where the copy would go", (told["target_group"], told["mirror"]), ("ids", "tap"))


def a_shadow_is_compared(lab):
    """The server sends back what it got: what the shadow does to a request it does to the answer."""
    with lab.inside("client"):
        ask(SHADOWED, 42101, b"fair", 10)
        ask(SHADOWED, 42102, b"KEEP", 4)
        ask(SHADOWED, 42103, b"CHANGE", 3)
        for local in range(42110, 42115):  # the IDS takes nothing more of a flow that it has dropped from
            ask(SHADOWED, local, b"BAD REQUEST", answered=False)
    becomes("what was counted",
            lambda: some(lab, "shadowed", "sent", "lost", "returns_lost", "approved", "altered", "missing", "unasked",
                         "agreed", "would_drop", "would_pass", "would_change"),
            {"sent": 39, "lost": 0, "returns_lost": 0, "approved": 25, "altered": 6, "missing": 8, "unasked": 0,
             "agreed": 20, "would_drop": 8, "would_pass": 5, "would_change": 6})


def what_passes_uninspected_is_shown_too(lab):
    with lab.inside("client"):
        ask(PASSING, 42201, b"fair", 5)
        ask(PASSING, 42202, b"KEEP", 2)
    flow = lab.flow(protocol="udp", port=42201)
    expect("the flow", (flow["bypassed"], flow["mirror"], flow["packets_delivered"]), (True, "next", 10))
    becomes("what was counted", lambda: some(lab, "passing", "sent", "approved", "missing", "agreed", "would_drop"),
            {"sent": 14, "approved": 10, "missing": 4, "agreed": 10, "would_drop": 4})


def a_hostile_shadow_gets_nothing_through(lab):
    with lab.inside("client"):
        ask(SHADOWED, 42301, b"fair")
    flow = lab.flow(protocol="udp", port=42301)
    mine = flow["cookie"]
    becomes("compared", lambda: mirror(lab, "shadowed")["agreed"], 22)
    lab.next.cookies[:] = [mine, mine ^ 1, mine ^ 0x10000000]
    dropped = lab.drops().get("target_mismatch", 0)
    with lab.inside("client"):
        ask(SHADOWED, 42301, b"EVIL", 5)
        becomes("refused", lambda: lab.drops().get("target_mismatch", 0) - dropped, 30)
        lab.next.cookies.clear()
        ask(SHADOWED, 42301, b"fair")
    becomes("compared", lambda: mirror(lab, "shadowed")["agreed"], 34)
    expect("delivered", lab.flow(protocol="udp", port=42301)["packets_delivered"], 14)
    expect("unasked", mirror(lab, "shadowed")["unasked"], 0)


def tcp_is_compared_packet_by_packet(lab):
    data = bytes(range(256)) * 512
    with lab.inside("client"), socket.create_connection((SERVER, WEB), 30) as s:
        s.settimeout(harness.PATIENCE_S)
        wanted = len("server 10.1.0.2 ") + len(data)
        got = b""
        s.sendall(data)
        while len(got) < wanted:
            got += s.recv(1 << 20)
        local = s.getsockname()[1]
    expect("what came back", got.removeprefix(b"server 10.1.0.2 ") == data, True)
    expect("the rule", lab.closed_flow(port=local)["rule"], "web")

    def judged():
        count = mirror(lab, "web")
        ends = ("agreed", "would_drop", "would_pass", "would_change", "uncompared")
        return count if count["sent"] == sum(count[name] for name in ends) else None
    count = wait_for("all of them judged", judged)
    expect("copies", count["sent"] > len(data) * 2 // 1460, True)
    expect("what could not be copied", (count["unsent"], count["no_target"]), (0, 0))
    if count["lost"] + count["returns_lost"] == 0:  # on a busy machine the ring may have been full for a moment
        expect("other verdicts", [count[n] for n in ("would_drop", "would_pass", "would_change", "altered", "missing")],
               [0, 0, 0, 0, 0])
    return f"{count['sent']} packets, {count['agreed']} agreed, {count['lost']} lost"


def a_tap_that_dies_harms_nobody(lab):
    before = mirror(lab, "tapped")
    os.kill(lab.pid("tap"), signal.SIGKILL)
    with lab.inside("client"):
        ask(TAPPED, 42401, b"hello", 20)
        lab.without_rows("tap", "10.9.0.12")
        ask(TAPPED, 42402, b"hello", 20)
    ends = ("sent", "lost", "unsent", "no_target")
    becomes("copies", lambda: sum(mirror(lab, "tapped")[n] - before[n] for n in ends), 80)
    expect("without a target", mirror(lab, "tapped")["no_target"] >= 40, True)


if __name__ == "__main__":
    for edits in ((), (("endpoint_id: 7,", "endpoint_id: 7, entry: tc,"),)):
        harness.run(harness.Lab("testbed/scenarios/mirror.yaml", edits), ready, a_tap_gets_every_packet,
                    a_shadow_is_compared, what_passes_uninspected_is_shown_too, a_hostile_shadow_gets_nothing_through,
                    tcp_is_compared_packet_by_packet, a_tap_that_dies_harms_nobody)
