#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Jumbo frames through veth pairs, which `auto` takes at TC: a packet of 8,500 bytes passes, there and back, of 8,501 its sender is
told what fits; TCP sends packets of that size. The lab is drawn in jumbo.yaml."""
import contextlib
import os
import socket
import threading

import harness
from harness import becomes, expect, wait_for

PORT = 7000
FITS = 8500  # an IP packet
MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}  # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER
MTU = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}  # IP_MTU, IPV6_MTU: of the way, as it is known
DO = 2  # IP_PMTUDISC_DO: with DF, and believe what one is told
ENDS = {4: ("10.1.0.2", "10.1.0.11"), 6: ("fd01::2", "fd01::11")}
HEADERS = {4: 28, 6: 48}  # of IP and UDP


def ready(lab):
    lab.wait_until_healthy("pass")
    for appliance in ("pass1", "pass2"):  # at TC an answer must be one datagram, not several in a piece
        lab.run(appliance, "ethtool", "-K", "eth0", "tx-udp-segmentation", "off")
    with lab.inside("app"):
        lab.resources.enter_context(harness.Server("app", PORT))
    with lab.inside("client"):
        for _, app in ENDS.values():
            wait_for(f"{app} answers", lambda a=app: harness.connects(a, PORT))
    taken = lab.ask("attachments")
    expect("the entries", [taken["attachments"][0]["entry"], taken["attachments"][0]["taken_at"], taken["tunnel"][0]["taken_at"]],
           ["auto", "tc", "tc"])


def pair(lab, stack, version):
    """A socket of the client and one of the application, connected to each other."""
    sockets = []
    for namespace, address in zip(("client", "app"), ENDS[version]):
        with lab.inside(namespace):
            s = stack.enter_context(harness.udp_socket(address, 7001, harness.PATIENCE_S))
        s.setsockopt(*MTU_DISCOVER[version], DO)
        sockets.append(s)
    for s, to in zip(sockets, reversed(ENDS[version])):
        s.connect((to, 7001))
    return sockets


def to_the_byte(lab):
    before = lab.drops().get("too_big", 0), lab.verdicts()["answered"]
    for version in ENDS:
        with contextlib.ExitStack() as stack:
            client, app = pair(lab, stack, version)
            for sender, receiver in ((client, app), (app, client)):
                sender.send(os.urandom(FITS + 1 - HEADERS[version]))
                data = os.urandom(FITS - HEADERS[version])
                becomes("the MTU of the way", lambda s=sender, v=version: s.getsockopt(*MTU[v]), FITS)
                with contextlib.suppress(OSError):  # what it was told about the first one
                    sender.send(b"")
                sender.send(data)
                while (got := receiver.recv(65536)) == b"":
                    pass
                expect("what has come", got == data, True)
    told = lab.drops()["too_big"] - before[0], lab.verdicts()["answered"] - before[1]
    expect("packets that were too big, and answered", told, (4, 4))


def transfer(lab, address, length=2_000_000):
    """There and back by TCP; the length of an average packet that carried it."""
    body = os.urandom(length)
    with lab.inside("client"), socket.create_connection((address, PORT), 60) as s, s.makefile("rb") as stream:
        mine = s.getsockname()[1]
        wanted = f"app {s.getsockname()[0]} ".encode() + body
        sender = threading.Thread(target=s.sendall, args=(body,))
        sender.start()
        got = stream.read(len(wanted))
        sender.join()
    expect(f"what came back from {address} is what was sent", got == wanted, True)
    flow = lab.closed_flow(port=mine)
    return (flow["bytes_forward"] + flow["bytes_back"]) // (flow["packets_forward"] + flow["packets_back"])


def connections(lab):
    averages = [transfer(lab, app) for _, app in ENDS.values()]
    expect(f"packets of {averages} bytes are jumbo ones, acknowledgments among them", min(averages) > 2000, True)
    return f"packets of {averages} bytes on average"


def not_at_xdp(lab):
    """A veth pair of this MTU has no native XDP: who asks for it is told by name, and nothing changes."""
    text = lab.config.read_text()
    for before, after in (("entry: auto}", "entry: xdp}"), ("entry: tc}", "entry: xdp}")):
        expect(f"{before!r} in the file", before in text, True)
        lab.config.write_text(text.replace(before, after))
        try:
            harness.command(harness.BIN / "sluice", "apply", lab.config, "--socket", lab.socket)
            refusal = "none"
        except harness.Failure as failure:
            refusal = str(failure)
        expect(f"the reason in {refusal!r}", "native XDP" in refusal, True)
        transfer(lab, ENDS[4][1], 100_000)
    lab.config.write_text(text)


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/jumbo.yaml"), ready, to_the_byte, connections, not_at_xdp, tools=("ethtool",))
