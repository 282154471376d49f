#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `sluice trace` and `sluice capture` see of live packets, each at every stage of its way, and that nobody looks any
more when they are killed. The lab is drawn in seen.yaml."""
import collections
import contextlib
import json
import logging
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import harness
from harness import expect, wait_for

CLIENT, APP, PORT = "10.1.0.2", "10.1.0.11", 7000
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="seen_test-"))
LOOK_MAX = 8
STAGES = ("in", "encapsulated", "returned", "delivered")


class Trace:
    """Lines of a trace, as a program that asks on the socket gets them."""

    def __init__(self, lab, protocol, client_port, server_port):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(harness.PATIENCE_S)
        self.socket.connect(lab.socket)
        self.stream = self.socket.makefile()
        self.socket.sendall(json.dumps({
            "command": "trace", "protocol": protocol, "source": CLIENT, "source_port": client_port, "destination": APP,
            "destination_port": server_port}).encode() + b"\n")
        self.reply = json.loads(self.stream.readline())

    def __enter__(self):
        expect("the reply", self.reply, {"ok": True})
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def lines(self, count):
        return [json.loads(self.stream.readline()) for _ in range(count)]

    def rest(self):
        """Those that are left when it has been asked to end."""
        self.socket.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in self.stream]


@contextlib.contextmanager
def capture(lab, file, *words):
    """`sluice capture` while it runs; the file begins when it looks."""
    process = subprocess.Popen([harness.BIN / "sluice", "capture", "--socket", lab.socket, "-w", file, *words],
                               stderr=subprocess.PIPE, text=True)
    try:
        wait_for("the begin of a capture", lambda: file.exists() and file.stat().st_size or process.poll() is not None)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


def packets_of(file):
    """As Scapy reads them."""
    logging.getLogger("scapy").setLevel(logging.ERROR)  # it only knows comments that end with a line feed
    from scapy.layers import inet  # noqa: F401 pylint: disable=import-outside-toplevel,unused-import
    from scapy.utils import PcapNgReader  # pylint: disable=import-outside-toplevel
    with PcapNgReader(str(file)) as reader:
        return list(reader)


Note = collections.namedtuple("Note", "interface comment flags")


def notes_of(file):
    """What the file says beside its packets."""
    data, interfaces, out = file.read_bytes(), [], []
    while data:
        kind, length = struct.unpack_from("<II", data)
        body, data = data[8:length - 4], data[length:]
        if kind == 1:
            interfaces.append(options_of(body[8:])[2].decode())
        if kind == 6:
            interface, captured = struct.unpack_from("<I8xI", body)
            options = options_of(body[20 + (captured + 3) // 4 * 4:])
            out.append(Note(interfaces[interface], options[1].decode(), options[2][0]))
    return out


def options_of(data):
    out = {}
    while data[:4] != bytes(4):
        code, length = struct.unpack_from("<HH", data)
        out[code], data = data[4:4 + length], data[4 + (length + 3) // 4 * 4:]
    return out


def exchange(lab, client_port, server_port=PORT):
    with lab.inside("client"), harness.udp_socket(CLIENT, client_port) as s:
        s.sendto(b"x", (APP, server_port))
        expect("the answer", s.recvfrom(100)[0], b"app 10.1.0.2 x")


def ready(lab):
    with lab.inside("app"):
        for port in (PORT, 7053):
            lab.resources.enter_context(harness.Server("app", port))
    harness.without_ipv6(lab, "client", "app")
    lab.wait_until_healthy("ids")
    lab.wait_until_healthy("dpi")
    with lab.inside("client"):
        wait_for("the application answers", lambda: harness.connects(APP, PORT))


def datagrams(lab):
    """Each packet of one exchange, there and back; not those of another."""
    with Trace(lab, "udp", 42003, PORT) as trace:
        exchange(lab, 42004)
        exchange(lab, 42003)
        told = [(s["direction"], s["length"], s["stage"], s["what"]) for s in trace.lines(8)]
        expect("the trace", told, [
            ("forward", 29, "in", "from outside of front"),
            ("forward", 29, "encapsulated", "new flow, group ids by hash: to 10.9.0.11"),
            ("forward", 29, "returned", "from 10.9.0.11"),
            ("forward", 29, "delivered", "to inside of front"),
            ("back", 42, "in", "from inside of front"),
            ("back", 42, "encapsulated", "known flow, group ids by hash: to 10.9.0.11"),
            ("back", 42, "returned", "from 10.9.0.11"),
            ("back", 42, "delivered", "to outside of front")])
        expect("what is left", trace.rest(), [])


def hops(lab):
    with Trace(lab, "udp", 42005, 7053) as trace:
        exchange(lab, 42005, 7053)
        told = [(s["stage"], s["what"]) for s in trace.lines(12)]
        expect("the trace", told, [
            ("in", "from outside of front"),
            ("encapsulated", "new flow, rule both, hop 1 of 2: to 10.9.0.11"),
            ("returned", "from 10.9.0.11, hop 1 of 2"),
            ("encapsulated", "known flow, rule both, hop 2 of 2: to 10.9.0.21"),
            ("returned", "from 10.9.0.21, hop 2 of 2"),
            ("delivered", "to inside of front"),
            ("in", "from inside of front"),
            ("encapsulated", "known flow, rule both, hop 2 of 2: to 10.9.0.21"),
            ("returned", "from 10.9.0.21, hop 2 of 2"),
            ("encapsulated", "known flow, rule both, hop 1 of 2: to 10.9.0.11"),
            ("returned", "from 10.9.0.11, hop 1 of 2"),
            ("delivered", "to outside of front")])


def connection(lab):
    """A TCP connection, traced and captured: every packet that the flow has counted, at each of its four stages."""
    file = FOLDER / "connection.pcapng"
    with Trace(lab, "tcp", 43000, PORT) as trace, \
            capture(lab, file, "--flow", "tcp", f"{CLIENT}:43000", f"{APP}:{PORT}") as process:
        with lab.inside("client"), socket.create_connection((APP, PORT), 60, (CLIENT, 43000)) as s, \
                s.makefile("rb") as stream:
            expect("the greeting", stream.read(13), b"app 10.1.0.2 ")
            s.sendall(b"x" * 5000)
            expect("the echo", stream.read(5000), b"x" * 5000)
            s.shutdown(socket.SHUT_WR)
            expect("the end", stream.read(), b"")
        lab.closed_flow(port=43000)

        def settled():
            """The flow, when all of its packets have been delivered."""
            now = lab.flow(protocol="tcp", port=43000)
            return now["packets_delivered"] == now["packets_forward"] + now["packets_back"] and now
        flow = wait_for("all packets are delivered", settled)
        counts = collections.Counter((s["direction"], s["stage"]) for s in trace.rest())
        expect("seen", counts, {(direction, stage): flow[f"packets_{direction}"]
                                for direction in ("forward", "back") for stage in STAGES})
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=harness.PATIENCE_S)[1]
        total = 4 * (flow["packets_forward"] + flow["packets_back"])
        expect("what capture says", said, f"{total} packets, 0 lost\n")
    packets = packets_of(file)
    expect("packets in the file", len(packets), total)
    outer = [p for p in packets if p.haslayer("UDP") and p["UDP"].dport == 6081]
    expect("encapsulated ones", len(outer), total // 2)
    expect("the others", {p["TCP"].dport for p in packets if p not in outer}, {43000, PORT})
    expect("times in their order", [p.time for p in packets], sorted(p.time for p in packets))
    notes = notes_of(file)
    expect("stages in the file", collections.Counter(n.comment.split(":")[0] for n in notes),
           {stage: total // 4 for stage in STAGES})
    endpoint = "endpoint vpce-00000000000000007"
    expect("why", notes[:4], [
        Note("out0", f"in: from outside of front; {endpoint}", 1),
        Note("gen0", f"encapsulated: new flow, group ids by hash: to 10.9.0.11; verdict target, {endpoint}", 2),
        Note("gen0", f"returned: from 10.9.0.11; {endpoint}", 1),
        Note("in0", f"delivered: to inside of front; verdict inside, {endpoint}", 2)])
    return f"{total} packets"


def dropped(lab):
    """Only that stage, and no more than were wanted, nor more bytes."""
    file = FOLDER / "dropped.pcapng"
    with capture(lab, file, "--stage", "dropped", "--port", "7009", "--count", "3", "--bytes", "40") as process:
        with lab.inside("client"), harness.udp_socket(CLIENT, 42006) as s:
            def ends():
                s.sendto(b"y" * 100, (APP, 7009))
                return process.poll() is not None
            wait_for("the end of the capture", ends)
        expect("its exit", process.returncode, 0)
        expect("what it says", process.communicate()[1], "3 packets, 0 lost\n")
    packets = packets_of(file)
    expect("packets", [(len(p), p.wirelen) for p in packets], 3 * [(40, 142)])
    expect("why", notes_of(file),
           3 * [Note("out0", "dropped: no flow: policy; verdict drop, endpoint vpce-00000000000000007", 1)])


def killed(lab):
    """Whoever is killed looks no more."""
    def all_may_look():
        traces = [Trace(lab, "tcp", 1, 2) for _ in range(LOOK_MAX)]
        for trace in traces:
            trace.__exit__()
        return all(trace.reply["ok"] for trace in traces)
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(capture(lab, FOLDER / f"killed{i}.pcapng")) for i in range(LOOK_MAX)]
        refused = subprocess.run([harness.BIN / "sluice", "trace", "--socket", lab.socket, "tcp", "10.0.0.1:1",
                                  "10.0.0.2:2"], capture_output=True, text=True, timeout=60, check=False)
        expect("one too many", (refused.returncode, refused.stderr), (1, "sluice: there are 8 who look already\n"))
        for process in processes:
            process.kill()
        wait_for("all may look again", all_may_look)


if __name__ == "__main__":
    try:
        harness.run(harness.Lab("testbed/scenarios/seen.yaml"), ready, datagrams, hops, connection, dropped, killed)
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
