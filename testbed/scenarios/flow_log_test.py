#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the log says of flows that live, end, are reset and are dropped, packet by packet; and that its file may be
moved away. The lab is drawn in flow_log.yaml."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import tempfile

import harness
from harness import expect, wait_for

CLIENT, APP, PORT = "10.1.0.2", "10.1.0.11", 7000
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="flow_log_test-"))
LOG = FOLDER / "flows.json"


def lines(path=LOG):
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def line_of(port, path=LOG):
    """The only line about the client's port, once it is there."""
    def found():
        return [line for line in lines(path) if line["source_port"] == port]
    wait_for(f"a line about port {port}", found)
    expect(f"lines about port {port}", len(found()), 1)
    return found()[0]


def facts(line, *names):
    return {name: line.get(name) for name in names}


def ready(lab):
    with lab.inside("app"):
        lab.resources.enter_context(harness.Server("app", PORT))
    harness.without_ipv6(lab, "client", "app")
    lab.wait_until_healthy("ids")
    with lab.inside("client"):
        wait_for("the application answers", lambda: harness.connects(APP, PORT))


def datagrams(lab):
    """Five there and five back; one that passes, and three that the IDS keeps."""
    with lab.inside("client"), harness.udp_socket(CLIENT, 42000) as s:
        for i in range(5):
            s.sendto(b"%d" % i, (APP, PORT))
            expect("the answer", s.recvfrom(100)[0], b"app 10.1.0.2 %d" % i)
    with lab.inside("client"), harness.udp_socket(CLIENT, 42001) as s:
        s.sendto(b"fine", (APP, PORT))
        expect("the answer", s.recvfrom(100)[0], b"app 10.1.0.2 fine")
        for _ in range(3):
            s.sendto(b"MARKED", (APP, PORT))


def close_one(lab, port):
    with lab.inside("client"), socket.create_connection((APP, PORT), 60, (CLIENT, port)) as s, \
            s.makefile("rb") as stream:
        expect("the greeting", stream.read(13), b"app 10.1.0.2 ")
        s.sendall(b"x" * 100)
        expect("the echo", stream.read(100), b"x" * 100)
        s.shutdown(socket.SHUT_WR)
        expect("the end", stream.read(), b"")


def connection(lab):
    close_one(lab, 43000)
    line = line_of(43000)
    expect("the flow", facts(line, "end", "verdict", "reset_by"), {"end": "fin", "verdict": "returned", "reset_by": None})
    # On a busy machine the last ACK may still be at the appliance.
    expect("packets on their way at most", line["packets_missing"] <= 1, True)
    expect("its packets", line["packets_forward"] + line["packets_back"],
           line["packets_delivered"] + line["packets_missing"])
    expect("bytes of the payload at least", min(line["bytes_forward"], line["bytes_back"]) > 100, True)


def reset(lab):
    with lab.inside("client"), socket.create_connection((APP, PORT), 60, (CLIENT, 43001)) as s:
        expect("the greeting", s.recv(13), b"app 10.1.0.2 ")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line = line_of(43001)
    expect("the flow", facts(line, "end", "verdict", "packets_missing", "reset_by"),
           {"end": "reset", "verdict": "returned", "packets_missing": 0, "reset_by": "client"})


def rejected(lab):
    """The IDS keeps the packet and resets both ends."""
    with lab.inside("client"), socket.create_connection((APP, PORT), 60, (CLIENT, 43002)) as s:
        expect("the greeting", s.recv(13), b"app 10.1.0.2 ")
        s.sendall(b"MARKED")
        with contextlib.suppress(ConnectionResetError):
            expect("what comes", s.recv(100), None)
    line = line_of(43002)
    expect("the flow", facts(line, "end", "reset_by"), {"end": "reset", "reset_by": "both"})


def silence(lab):
    """The flows of datagrams() have idled out."""
    line = line_of(42000)
    expect("the flow", facts(line, "event", "end", "protocol", "source", "destination", "destination_port",
                             "attachment", "endpoint_id", "target_group", "appliance", "why", "from_outside",
                             "verdict"),
           {"event": "end", "end": "idle", "protocol": "udp", "source": CLIENT, "destination": APP,
            "destination_port": PORT, "attachment": "front", "endpoint_id": "vpce-00000000000000007",
            "target_group": "ids", "appliance": "10.9.0.11", "why": "hash", "from_outside": True,
            "verdict": "timed_out"})
    expect("packets", facts(line, "packets_forward", "packets_back", "packets_delivered", "packets_missing"),
           {"packets_forward": 5, "packets_back": 5, "packets_delivered": 10, "packets_missing": 0})
    # 20 + 8 + 1 bytes there; 20 + 8 + 14 back.
    expect("bytes", (line["bytes_forward"], line["bytes_back"]), (5 * 29, 5 * 42))
    line = line_of(42001)
    expect("the flow", facts(line, "end", "verdict", "packets_forward", "packets_back", "packets_delivered",
                             "packets_missing"),
           {"end": "idle", "verdict": "dropped", "packets_forward": 4, "packets_back": 1, "packets_delivered": 2,
            "packets_missing": 3})


def moved_away(lab):
    former = FOLDER / "former.json"
    LOG.rename(former)
    os.kill(lab.pid("gateway"), signal.SIGHUP)
    wait_for("a new file", LOG.exists)
    close_one(lab, 43003)
    line_of(43003)
    expect("lines about it before", [x for x in lines(former) if x["source_port"] == 43003], [])
    return f"{len(lines(former))} lines before"


if __name__ == "__main__":
    try:
        harness.run(harness.Lab("testbed/scenarios/flow_log.yaml", edits=[("FOLDER", str(FOLDER))]),
                    ready, datagrams, connection, reset, rejected, silence, moved_away)
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
