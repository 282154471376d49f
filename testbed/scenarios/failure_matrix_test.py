#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The failure matrix, cell by cell: at four endpoints at once two appliances die, leave and come back, and every packet of every
flow is counted where it went. docs/features/failure-matrix.md shows CELLS; the lab is drawn in failure_matrix.yaml.

The flows are this test's own packets, TCP and UDP, between two addresses that nobody has, so nothing is sent but what is counted:
in each cell one packet of each flow there, and one back. What real TCP does when it is reset is in failure_test.py.
"""
import collections
import itertools
import socket
import struct
import subprocess

import harness
from harness import becomes, expect, wait_for

# By endpoint: what becomes of flows whose appliance is lost. A is in the endpoints' zone, B is not.
COLUMNS = ("keep", "move", "reset", "zone")
# Where packets go: A, B; `A or B`: each flow to one of them, and some to either; RST: TCP is answered by it at both ends, UDP
# stays; uninspected: straight to the other side; no_target: dropped by that name.
CELLS = (
    # event, flows, then by endpoint; empty: there are none
    ("A dies", "of A", "A", "B", "RST", "A"),
    ("A dies", "of B", "B", "B", "B", ""),
    ("A dies", "new", "B", "B", "B", "A"),
    ("A recovers", "of A", "A", "B", "A", "A"),
    ("A recovers", "of B", "B", "B", "B", ""),
    ("A recovers", "new", "A or B", "A or B", "A or B", "A"),
    ("A is deregistered", "of A", "A", "A", "A", "A"),
    ("A is deregistered", "of B", "B", "B", "B", ""),
    ("A is deregistered", "new", "B", "B", "B", "no_target"),
    ("A is registered again", "of A", "A", "A", "A", "A"),
    ("A is registered again", "of B", "B", "B", "B", ""),
    ("A is registered again", "new", "A or B", "A or B", "A or B", "A"),
    ("A is deregistered, and its delay over", "of A", "A", "B", "RST", "no_target"),
    ("A is deregistered, and its delay over", "of B", "B", "B", "B", ""),
    ("A is deregistered, and its delay over", "new", "B", "B", "B", "no_target"),
    ("A is registered after its delay", "of A", "A", "B", "A", "A"),
    ("A is registered after its delay", "of B", "B", "B", "B", ""),
    ("A is registered after its delay", "new", "A or B", "A or B", "A or B", "A"),
    ("A dies, and is deregistered then", "of A", "A", "B", "RST", "A"),
    ("A dies, and is deregistered then", "of B", "B", "B", "B", ""),
    ("A dies, and is deregistered then", "new", "B", "B", "B", "no_target"),
    ("both die: `last_resort`", "of A", "A", "A", "A", "A"),
    ("both die: `last_resort`", "of B", "B", "B", "B", ""),
    ("both die: `last_resort`", "new", "A or B", "A or B", "A or B", "A"),
    ("both are dead: `fail_closed`", "of A", "A", "A", "RST", "A"),
    ("both are dead: `fail_closed`", "of B", "B", "B", "RST", ""),
    ("both are dead: `fail_closed`", "new", "no_target", "no_target", "no_target", "no_target"),
    ("both are dead: `bypass`", "of A", "uninspected", "uninspected", "uninspected", "uninspected"),
    ("both are dead: `bypass`", "of B", "uninspected", "uninspected", "uninspected", ""),
    ("both are dead: `bypass`", "new", "uninspected", "uninspected", "uninspected", "uninspected"),
    ("both recover", "of A", "A", "A", "A", "A"),
    ("both recover", "of B", "B", "B", "B", ""),
    ("both recover", "uninspected until then", "uninspected", "uninspected", "uninspected", "uninspected"),
    ("both recover", "new", "A or B", "A or B", "A or B", "A"),
)
ADDRESS = {"A": {c: f"10.9.1.{i}" for i, c in enumerate(COLUMNS, 1)}, "B": {c: f"10.9.2.{i}" for i, c in enumerate(COLUMNS, 1)}}
NAMESPACE = {"A": "one", "B": "two"}
CLIENT, APP = (socket.inet_aton(a) for a in ("10.1.0.66", "10.1.0.77"))
EACH = 5  # flows of each protocol at each appliance
NEW = 10  # of each protocol
OPENED = 30  # of each protocol, so that there are EACH at each
SYN, RST, ACK = 2, 4, 16
SO_RCVBUFFORCE = 33  # of <asm-generic/socket.h>
DATA = b"matrix"


def table():
    """As the page shows it."""
    yield "| event | flows | " + " | ".join(f"`{c}`" for c in COLUMNS) + " |"
    yield "|---" * (2 + len(COLUMNS)) + "|"
    for row in CELLS:
        yield "| " + " | ".join(word or "none" for word in row) + " |"


# ---- packets ----

Flow = collections.namedtuple("Flow", "protocol port")  # the client's port; the application's is 7000


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(flow, there, flags):
    """There, from the client, or back."""
    ends, ports = ((CLIENT, APP), (flow.port, 7000)) if there else ((APP, CLIENT), (7000, flow.port))
    if flow.protocol == "tcp":
        number, header = 6, struct.pack("!HHIIBBHHH", *ports, 1000, 2000, 5 << 4, flags, 1024, 0, 0)
    else:
        number, header = 17, struct.pack("!HHHH", *ports, 8 + len(DATA), 0)
    pseudo = ends[0] + ends[1] + struct.pack("!HH", number, len(header) + len(DATA))
    field = 16 if flow.protocol == "tcp" else 6
    header = header[:field] + struct.pack("!H", checksum(pseudo + header + DATA)) + header[field + 2:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(header) + len(DATA), 1, 0x4000, 64, number, 0) + ends[0] + ends[1]
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + header + DATA


class End:
    """An interface of a client or an application."""

    def __init__(self, lab, namespace, interface):
        with lab.inside(namespace):
            self.socket = lab.resources.enter_context(
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.socket.bind((interface, 0x0800))
        self.mac = self.socket.getsockname()[4]
        self.data, self.resets = 0, 0  # that have come

    def send(self, other, packets):
        for each in packets:
            self.socket.send(other.mac + self.mac + b"\x08\0" + each)

    def receive(self):
        while True:
            try:
                frame, source = self.socket.recvfrom(2000, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if source[2] == socket.PACKET_OUTGOING or {frame[26:30], frame[30:34]} != {CLIENT, APP}:
                continue
            if frame[23] == 6 and frame[47] & RST:
                self.resets += 1
            elif frame.endswith(DATA):  # else it makes an end speak that is to be reset
                self.data += 1


class Endpoint:
    """One column: its two ends, and where its packets went."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.client, self.app = End(lab, "client", name), End(lab, "app", name)
        self.flows = {}  # of A, of B, uninspected until then

    def counted(self):
        """All packets end in one of these."""
        counters = self.lab.ask("counters")
        return collections.Counter(sent=counters["verdicts"]["target"], uninspected=counters["events"]["failed_open"],
                                   **{n: c for n, c in counters["drops"].items() if c and n != "neighbour_unresolved"})

    def sent_to_b(self):
        return self.lab.targets(self.name)[ADDRESS["B"][self.name]]["packets_sent"]

    def one_way(self, flows, there, flags):
        before, to_b = self.counted(), self.sent_to_b()
        at, to = (self.client, self.app) if there else (self.app, self.client)
        resets, data = at.resets, to.data
        at.send(to, [packet(flow, there, flags) for flow in flows])
        becomes("all packets counted", lambda: sum((self.counted() - before).values()), len(flows))
        out = self.counted() - before
        out["B"] = self.sent_to_b() - to_b
        out["A"] = out.pop("sent", 0) - out["B"]
        out = +out

        def arrived():
            at.receive()
            to.receive()
            return to.data - data, at.resets - resets
        becomes(f"what arrives of {dict(out)}", arrived,
                (sum(out[n] for n in ("uninspected", *self.lab.alive)), out["target_lost"]))
        return out

    def speak(self, flows, new=False):
        """A packet of each there, and one back: where they went."""
        there = self.one_way(flows, True, SYN if new else ACK)
        return there + self.one_way(flows, False, SYN | ACK if new else ACK)

    def records(self, flows):
        ports = {flow.port for flow in flows}
        return [r for r in self.lab.flows(address="10.1.0.66") if r["source_port"] in ports]

    def open_flows(self):
        opened = new_flows(OPENED)
        self.speak(opened, new=True)
        self.speak(opened)
        self.flows = {}
        at = {r["source_port"]: r["appliance"] for r in self.records(opened)}
        for name, protocol in itertools.product("AB", ("tcp", "udp")):
            chosen = [f for f in opened if f.protocol == protocol and at[f.port] == ADDRESS[name][self.name]][:EACH]
            expect(f"{protocol} flows of {name}", len(chosen), 0 if self.name == "zone" and name == "B" else EACH)
            self.flows.setdefault("of " + name, []).extend(chosen)

    def check(self, which, word):
        """One cell."""
        flows = new_flows(NEW) if which == "new" else self.flows[which]
        got = self.speak(flows, which == "new")
        total = 2 * len(flows)
        if word == "A or B":
            records = self.records(flows)
            expect("each flow at one of them", {n: 2 * sum(r["appliance"] == ADDRESS[n][self.name] for r in records)
                                                for n in "AB"}, dict(got))
            expect("packets", sum(got.values()), total)
        elif word == "RST":
            expect("packets", got, {"target_lost": total // 2, which[-1]: total // 2})
        else:
            expect("packets", got, {word: total} if total else {})
        if which == "new" and word == "uninspected":
            self.flows["uninspected until then"] = flows
        return ", ".join(f"{name} {n}" for name, n in sorted(got.items())) or "-"


ports = itertools.count(20000)


def new_flows(count):
    return [Flow(protocol, next(ports)) for protocol in ("tcp", "udp") for _ in range(count)]


# ---- events ----

def ready(lab):
    harness.without_ipv6(lab, "client", "app")
    lab.processes, lab.alive = {}, set()
    lab.endpoints = {name: Endpoint(lab, name) for name in COLUMNS}
    start(lab, "A", "B")


def start(lab, *names):
    for name in names:
        with lab.inside(NAMESPACE[name]):
            process = subprocess.Popen([harness.BIN / "sluice-pass", "--listen", "0.0.0.0"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.resources.callback(process.wait)
        lab.resources.callback(process.kill)
        lab.processes[name] = process
        lab.alive.add(name)
    lab.wait_until_healthy(*COLUMNS)


def shares(lab, name):
    return [lab.targets(column)[ADDRESS[name][column]]["share"] for column in COLUMNS]


def kill(lab, *names):
    for name in names:
        lab.processes[name].kill()
        lab.processes[name].wait()
        lab.alive.discard(name)
    wait_for(f"{names} are unhealthy", lambda: all(
        lab.targets(c)[ADDRESS[name][c]]["state"] == "unhealthy" for c in COLUMNS for name in names))
    if names == ("A",):
        becomes("rows of A", lambda: shares(lab, "A"), [0] * len(COLUMNS))
    else:
        wait_for("rows of the last resort", lambda: min(shares(lab, "A") + shares(lab, "B")) > 0)


def deregister(lab):
    for column in sorted(COLUMNS, key="move".__eq__):  # the last that drains is one whose end can be seen
        lab.ask("deregister", target_group=column, id=ADDRESS["A"][column])
    becomes("rows of B", lambda: shares(lab, "B"), [1] * len(COLUMNS))


def register(lab):
    for column in COLUMNS:
        lab.ask("register", target_group=column, id=ADDRESS["A"][column])
    lab.wait_until_healthy(*COLUMNS)


def change(lab, before, after):
    text = lab.config.read_text()
    expect(f"{before} in the file", text.count(before), len(COLUMNS))
    lab.config.write_text(text.replace(before, after))
    harness.command(harness.BIN / "sluice", "apply", lab.config, "--socket", lab.socket)


def open_flows(lab):
    for endpoint in lab.endpoints.values():
        endpoint.open_flows()


def check(lab, event):
    """All cells of the event; what was counted in them."""
    lines = []
    for row in (r for r in CELLS if r[0] == event):
        counts = []
        for endpoint, word in zip(lab.endpoints.values(), row[2:]):
            try:
                counts.append(endpoint.check(row[1], word))
            except harness.Failure as failure:
                raise harness.Failure(f"{event}, flows {row[1]}, {endpoint.name}, not {word}: {failure}") from None
        lines.append(f"     {row[1]:24}" + "".join(f"{c:32}" for c in counts).rstrip())
    expect("there are such cells", lines != [], True)
    return "\n" + "\n".join(lines)


def unhealthy(lab):
    open_flows(lab)
    kill(lab, "A")
    return check(lab, "A dies")


def recovers(lab):
    start(lab, "A")
    return check(lab, "A recovers")


def deregistered(lab):
    open_flows(lab)
    deregister(lab)
    return check(lab, "A is deregistered")


def registered(lab):
    register(lab)
    return check(lab, "A is registered again")


def drained(lab):
    change(lab, 'deregistration_delay.timeout_seconds: "3600"', 'deregistration_delay.timeout_seconds: "1"')
    deregister(lab)
    places = {ADDRESS["A"]["move"], ADDRESS["A"]["zone"]}
    wait_for("flows may leave", lambda: not places & {t["id"] for t in lab.ask("targets")["targets"]})
    return check(lab, "A is deregistered, and its delay over")


def registered_late(lab):
    register(lab)
    return check(lab, "A is registered after its delay")


def unhealthy_and_deregistered(lab):
    """Flows that have been silent since it died."""
    change(lab, 'deregistration_delay.timeout_seconds: "1"', 'deregistration_delay.timeout_seconds: "3600"')
    open_flows(lab)
    kill(lab, "A")
    deregister(lab)
    note = check(lab, "A dies, and is deregistered then")
    start_and_register(lab)
    return note


def start_and_register(lab):
    for column in COLUMNS:
        lab.ask("register", target_group=column, id=ADDRESS["A"][column])
    start(lab, "A")


def last_resort(lab):
    open_flows(lab)
    kill(lab, "A", "B")
    return check(lab, "both die: `last_resort`")


def fail_closed(lab):
    change(lab, "all_unhealthy: last_resort", "all_unhealthy: fail_closed")
    becomes("rows", lambda: shares(lab, "A") + shares(lab, "B"), [0] * 2 * len(COLUMNS))
    return check(lab, "both are dead: `fail_closed`")


def bypass(lab):
    change(lab, "all_unhealthy: fail_closed", "all_unhealthy: bypass")
    for column in COLUMNS:
        lab.wait_for_log("gateway", "sluiced", f"no target of {column} is healthy: its packets pass without inspection")
    return check(lab, "both are dead: `bypass`")


def recover(lab):
    start(lab, "A", "B")
    return check(lab, "both recover")


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/failure_matrix.yaml"), ready, unhealthy, recovers, deregistered, registered, drained,
                registered_late, unhealthy_and_deregistered, last_resort, fail_closed, bypass, recover)
