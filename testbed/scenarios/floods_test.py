#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""More flows than may begin: they work without a record. The lab is drawn in failure.yaml."""
import socket

import harness
from failure_test import APP, PORTS, Since, configure, ready
from harness import expect, wait_for


def without_records(lab):
    """They work, both ways, where unknown connections are refused, too; when the guard is off they get records."""
    configure(lab, {}, {"sluice.new_flows_per_second": "1", "sluice.unknown_tcp_flow": "drop"})
    since = Since(lab)
    datagrams = [lab.client_socket(socket.SOCK_DGRAM) for _ in range(50)]
    streams = [lab.client_socket(socket.SOCK_STREAM) for _ in range(20)]
    for s in datagrams + streams:
        s.bind(("10.1.0.2", next(PORTS)))
    for s in datagrams:
        s.connect((APP, 7000))
        s.send(b"ping")
    for s in streams:
        s.setblocking(False)
        s.connect_ex((APP, 7000))
    servers = {}
    for s in streams:
        server, peer = lab.listener.accept()
        servers[peer[1]] = server
        server.settimeout(60)
        s.settimeout(60)

    def all_talk_again(first):
        for s in datagrams:
            if not first:
                s.send(b"ping")
        for _ in datagrams:
            lab.server.sendto(b"pong", lab.datagrams(60)[1])
        expect("answers", {s.recv(4) for s in datagrams}, {b"pong"})
        for s in streams:
            server = servers[s.getsockname()[1]]
            s.sendall(b"ping")
            expect("at the server", server.recv(4), b"ping")
            server.sendall(b"pong")
            expect("at the client", s.recv(4), b"pong")

    all_talk_again(True)
    wait_for("some had no record", lambda: since("unrecorded_sent")[0] > 0)
    expect("dropped", since("flow_not_begun", "layer2_gone", "cookie_mismatch", "new_flow_rate"), (0, 0, 0, 0))
    configure(lab)
    all_talk_again(False)
    for kind, sockets in ("udp", datagrams), ("tcp", streams):
        for s in sockets:
            port = s.getsockname()[1]
            wait_for(f"a record of {kind} {port}", lambda: lab.flows(protocol=kind, port=port))
    for s in [*datagrams, *streams, *servers.values()]:
        s.close()


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/failure.yaml"), ready, without_records)
