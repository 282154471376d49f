#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A million connections that nobody means are opened through a table of 65,536 flows, while fifty that somebody does mean
carry data. Nobody answers them; then half get SYN and ACK and the other half RST; and with the guard of new flows, at TC, all
three. The lab is drawn in syn_flood.yaml."""
import json
import os
import random
import socket
import subprocess
import threading
import time

import harness
from harness import becomes, expect, wait_for

CLIENT, APP, NOBODY = "10.1.0.2", "10.1.0.11", "10.1.9.9"
PORT, CLOSED = 7000, 7001
CONNECTIONS = range(20000, 20050)
PLACES = 65536
SYNS, BURST = 1_000_000, 20_000
GREETING, HELLO = f"app {CLIENT} ".encode(), bytes(range(256)) * 50
GUARD = 2000  # new flows a second and CPU


class Talk:
    """A connection that says something ten times a second, and hears the same each time."""

    def __init__(self, port):
        self.heard, self.error = [], None  # when
        self.socket = socket.create_connection((APP, PORT), harness.PATIENCE_S, (CLIENT, port))
        self.socket.settimeout(harness.PATIENCE_S)
        self.file = self.socket.makefile("rb")
        expect("the greeting", self.file.read(len(GREETING)), GREETING)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._talk, daemon=True)
        self.thread.start()

    def _talk(self):
        try:
            while not self.stop.wait(0.1):
                said = random.randbytes(3000)
                self.socket.sendall(said)
                expect("what was heard is what was said", self.file.read(len(said)) == said, True)
                self.heard.append(time.monotonic())
        except (OSError, harness.Failure) as error:
            self.error = error

    def end(self):
        """Both ends close, and nothing more has come."""
        self.stop.set()
        self.thread.join()
        expect("its error", self.error, None)
        self.socket.shutdown(socket.SHUT_WR)
        expect("behind all that was said", self.file.read(), b"")
        self.file.close()
        self.socket.close()


def appliances(lab):
    """Of the connections, whose records are as old as they are: one that was lost would have got another, if any."""
    age_ms = (time.monotonic() - lab.connected) * 1000 - 1000
    flows = {port: lab.flow(protocol="tcp", port=port) for port in CONNECTIONS}
    expect("connections with younger records", [p for p, flow in flows.items() if flow["age_ms"] < age_ms], [])
    return {port: (flow["appliance"], flow["cookie"], flow["state"]) for port, flow in flows.items()}


def hear(lab, rounds):
    """Waits until each connection has heard so much more."""
    before = [len(talk.heard) for talk in lab.talks]

    def more():
        expect("errors", [talk.error for talk in lab.talks if talk.error], [])
        return all(len(talk.heard) >= b + rounds for talk, b in zip(lab.talks, before))
    wait_for(f"{rounds} rounds of each connection", more)


def ready(lab):
    harness.without_ipv6(lab, "client", "app")
    with lab.inside("app"):
        lab.resources.enter_context(harness.Server("app", PORT))
    lab.wait_until_healthy("pass")
    lab.app_mac = json.loads(lab.run("app", "ip", "-j", "link", "show", "eth0"))[0]["address"]
    with lab.inside("client"):
        wait_for("an answer", lambda: harness.connects(APP, PORT))
        lab.talks = [Talk(port) for port in CONNECTIONS]
    lab.connected = time.monotonic()
    hear(lab, 3)


def settle(lab):
    """Until the appliances have taken what waits for them, so that they lose little however slow the machine is."""
    def delivered():
        verdicts = lab.verdicts()
        return verdicts["inside"] + verdicts["outside"]
    last = [delivered()]

    def slow():
        time.sleep(0.2)  # what is delivered meanwhile
        last.append(delivered())
        return last[-1] - last[-2] < BURST // 10  # the connections go on talking
    wait_for("the appliances have taken a burst", slow)


def send(lab, first, ends):
    """A burst of SYNs to each (address, port); at the same time somebody connects. Whether that worked: a handshake that lasts
    longer than the flood needs for all half-open places may lose its own, or the server's memory of it."""
    words = [harness.BIN / "sluice-flood", "--interface", "eth0", "--mac", lab.app_mac, "--first", first, "--count", BURST // len(ends)]
    floods = [subprocess.Popen([str(w) for w in (*words, "--destination", address, "--port", port)], stdout=subprocess.PIPE)
              for address, port in ends]
    try:
        try:
            works = connection(timeout=5) == HELLO
        except OSError:
            works = False
        told = [json.loads(f.communicate()[0]) for f in floods]
    finally:
        for f in floods:
            f.kill()
            f.wait()
    expect("SYNs sent", [t["sent"] for t in told], [BURST // len(ends)] * len(ends))
    return works


def flood(lab, ends):
    start, made = time.monotonic(), 0
    with lab.inside("client"):
        for burst in range(SYNS // BURST):
            made += send(lab, burst * BURST // len(ends), ends)
            settle(lab)
    end = time.monotonic()
    expect("connections that were silent meanwhile",
           [t.socket.getsockname()[1] for t in lab.talks if sum(start < at < end for at in t.heard) < 3], [])
    expect(f"most new connections work, with {made}", made > SYNS // BURST // 2, True)
    return end - start


def connection(look=None, timeout=harness.PATIENCE_S):
    """Speaks first, for a server under a flood forgets who does not; returns what it heard of HELLO."""
    with socket.create_connection((APP, PORT), timeout) as s:
        s.sendall(HELLO)
        with s.makefile("rb") as stream:
            heard = stream.read(len(GREETING) + len(HELLO))
        if look:
            look(s.getsockname()[1])
        return heard.removeprefix(GREETING)


def events(lab):
    return lab.ask("counters")["events"]


def survived(lab, *ends, guarded=False):
    """A flood, and what it may have done."""
    before, counted = appliances(lab), events(lab)
    start = time.monotonic()
    seconds = flood(lab, ends)
    hear(lab, 3)
    expect("the connections' appliances", appliances(lab), before)
    since = {name: n - counted[name] for name, n in events(lab).items()}
    created, closed = since["flow_created"], since["new_flow_guard_closed"]
    counts = str({name: n for name, n in since.items() if n})
    # Each SYN either began a flow or went without a record, and each flow beyond the places took another's.
    expect(f"all are accounted for: {counts}", created + since["unrecorded_sent"] >= SYNS * 99 // 100, True)
    taken = since["flow_evicted"] + since["flow_expired"]
    expect(f"places were taken: {counts}", created - PLACES <= taken <= created, True)
    if guarded:
        most = GUARD * os.cpu_count() * (time.monotonic() - start + 1)
        expect(f"the guard let {most:.0f} begin: {counts}", 0 < closed and created <= most, True)
    else:
        expect(f"nearly all got a record: {counts}", created >= SYNS * 9 // 10 and closed == 0, True)
        flows = lab.ask("flows", limit=1, all=True)["matched"]
        expect(f"the table is full, with {flows} flows", PLACES * 9 // 10 <= flows <= PLACES, True)
    works_again(lab)
    return f"{SYNS / seconds:.0f} SYNs a second; {counts}"


def works_again(lab):
    """New connections are as they were before, with records."""
    def recorded(port):
        becomes("its record", lambda: [f["state"] for f in lab.flows(protocol="tcp", port=port)], ["established"])
    with lab.inside("client"):
        for _ in range(10):
            expect("what a new connection heard", connection(recorded), HELLO)


def nobody_answers(lab):
    return survived(lab, (NOBODY, PORT))


def answered(lab):
    return survived(lab, (APP, PORT), (APP, CLOSED))


def guarded(lab):
    return survived(lab, (NOBODY, PORT), (NOBODY, CLOSED), (APP, PORT), (APP, CLOSED), guarded=True)


def ends(lab):
    expect("appliances of the connections", {a for a, _, _ in appliances(lab).values()}, {"10.9.0.11", "10.9.0.12"})
    for talk in lab.talks:
        talk.end()
    return f"{sum(len(talk.heard) for talk in lab.talks)} times said and heard"


if __name__ == "__main__":
    YAML = "testbed/scenarios/syn_flood.yaml"
    harness.run(harness.Lab(YAML), ready, nobody_answers, answered, ends)
    GUARDED = [("sluice.unknown_tcp_flow: auto", f'sluice.unknown_tcp_flow: auto, sluice.new_flows_per_second: "{GUARD}"'),
               ("load_balancer: inspect}", "load_balancer: inspect, entry: tc}")]
    harness.run(harness.Lab(YAML, GUARDED), ready, guarded, ends)
