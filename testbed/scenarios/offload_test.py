#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Senders that leave checksums to their hardware: what arrives is right, and the gateway says that it helped.

  client -- out0 [gateway] in0 -- echo   (the demonstration's lab)
"""
import os
import socket
import threading

import harness
from harness import expect, wait_for

ECHOES = {"10.1.0.2": "10.1.0.21", "fd01::2": "fd01::21"}
PORT = 9000


def ready(lab):
    with lab.inside("echo"):
        lab.resources.enter_context(harness.Server("echo", PORT))
    lab.wait_until_healthy("ids")
    with lab.inside("client"):
        for echo in ECHOES.values():
            wait_for(f"{echo} answers", lambda: harness.connects(echo, PORT))


def transfer(lab, port):
    """A request of 1 MB comes back identical from each address, and so do datagrams of 1 to 199 bytes. Returns how
    many packets the client sent."""
    for client, echo in ECHOES.items():
        body = os.urandom(1_000_000)
        request = f"POST / HTTP/1.1\r\nHost: echo\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        with lab.inside("client"), socket.create_connection((echo, PORT), 60, (client, port)) as s, \
                s.makefile("rb") as stream:
            wanted = f"echo {client} ".encode() + request
            sender = threading.Thread(target=s.sendall, args=(request,))
            sender.start()
            got = stream.read(len(wanted))
            sender.join()
        expect(f"the body from {echo} is identical", got == wanted, True)
        with lab.inside("client"), harness.udp_socket(client, port) as s:
            for size in range(1, 200):
                s.sendto(bytes(size), (echo, PORT))
                expect(f"{size} bytes", s.recvfrom(1000)[0], f"echo {client} ".encode() + bytes(size))
        lab.closed_flow(address=client, port=port)
    lab.wait_until_settled()
    return sum(flow["packets_forward"] for flow in lab.flows(port=port))


def both_ends(lab, offload):
    for namespace in ("client", "echo"):
        lab.run(namespace, "ethtool", "-K", "eth0", "tx", offload)


def completed(lab):
    return lab.ask("counters")["events"]["checksum_completed"]


# A complete checksum looks like half a one in 1 of 65,536 packets; finishing it gives the same value again, but it
# is counted. More than this many of some 5,000 packets happens once in millions of runs.
COINCIDENCES_MAX = 5


def expect_completed(lab, before, wanted):
    more = completed(lab) - before - wanted
    expect(f"checksums completed: {wanted} and {more} by coincidence", 0 <= more <= COINCIDENCES_MAX, True)


def offload_off(lab):
    # Otherwise the switch merges the echo's segments and leaves the checksums of what it splits again to the wire.
    lab.run("apps", "ethtool", "-K", "gateway.in0", "tx", "off")
    both_ends(lab, "off")
    before = completed(lab)
    packets = transfer(lab, 42001)
    expect_completed(lab, before, 0)
    return f"{packets} packets from the client"


def offload_on(lab):
    """Every packet of the client comes without a checksum; those of the echo are completed by the switch."""
    both_ends(lab, "on")
    before = completed(lab)
    packets = transfer(lab, 42002)
    expect_completed(lab, before, packets)
    return f"{packets} packets from the client"


def offload_on_everywhere(lab):
    lab.run("apps", "ethtool", "-K", "gateway.in0", "tx", "on")
    before = completed(lab)
    packets = transfer(lab, 42003)
    expect("more than the client's", completed(lab) - before > packets + 1000, True)
    return f"{completed(lab) - before} packets both ways"


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/lab/demo.yaml"), ready, offload_off, offload_on, offload_on_everywhere,
                tools=("ethtool",))
