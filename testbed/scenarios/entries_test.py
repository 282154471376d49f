#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The TC entry: whatever senders and receivers leave to their hardware, what arrives is what was sent; super-packets
stay whole through an appliance in the kernel, and reach an appliance in user space as packets. The lab is drawn in
entries.yaml."""
import itertools
import os
import socket
import threading

import harness
import harness_daemon
import mtu_test
from harness import expect, wait_for

PORT = 7000
APPS = (("10.1.0.2", "10.1.0.11", PORT), ("fd01::2", "fd01::11", PORT), ("10.1.0.2", "10.1.0.100", 80))
UDP_SEGMENT = 103  # of <linux/udp.h>
WHOLE = {"client": ("eth0",), "app": ("eth0",), "gateway": ("out0", "in0", "gen0"), "netfilter": ("eth0",)}
ports = itertools.count(42000)


def ready(lab):
    harness_daemon.leave_no_pins(lab)
    with lab.inside("app"):
        lab.resources.enter_context(harness.Server("app", PORT))
    lab.wait_until_healthy("kernel", "apps", "datagrams")
    with lab.inside("client"):
        for _, app, port in APPS:
            wait_for(f"{app} answers", lambda a=app, p=port: harness.connects(a, p))


def offloads(lab, **switches):
    for namespace, to in switches.items():
        for device in WHOLE[namespace]:
            lab.run(namespace, "ethtool", "-K", device, "tx", to)


def transfer(lab, length=400_000):
    """There and back over each way; returns the flows."""
    flows = []
    for client, app, port in APPS:
        mine = next(ports)
        body = os.urandom(length)
        wanted = f"app {client} ".encode() + body
        with lab.inside("client"), socket.create_connection((app, port), 60, (client, mine)) as s, \
                s.makefile("rb") as stream:
            sender = threading.Thread(target=s.sendall, args=(body,))
            sender.start()
            got = stream.read(len(wanted))
            sender.join()
        expect(f"what came back from {app} is what was sent", got == wanted, True)
        flows.append(lab.closed_flow(address=client, port=mine))
    return flows


def datagrams(lab):
    for (client, app, _), port in zip(APPS, (PORT, PORT, 53)):
        with lab.inside("client"), harness.udp_socket(client, next(ports)) as s:
            greeting = f"app {client} ".encode()
            for size in (0, 1, 2, 3, 500, 1400):
                data = os.urandom(size)
                s.sendto(data, (app, port))
                expect(f"{size} bytes from {app}", s.recv(2000), greeting + data)


def send_ten(lab, app, port):
    """Ten datagrams that leave the client's socket as one packet; the socket, and what they are."""
    with lab.inside("client"):
        s = harness.udp_socket("10.1.0.2", next(ports), harness.PATIENCE_S)
    s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
    data = [os.urandom(1000) for _ in range(10)]
    s.sendto(b"".join(data), (app, port))
    return s, data


def every_combination(lab):
    for client, app, middle in itertools.product(("on", "off"), repeat=3):
        offloads(lab, client=client, app=app, gateway=middle, netfilter=middle)
        transfer(lab)
        datagrams(lab)
    expect("drops", lab.drops(), {})
    return "8 combinations of client, application, and gateway with appliance"


def frames(lab):
    """That the appliance's kernel has received."""
    with lab.inside("netfilter"), open("/proc/thread-self/net/dev", encoding="ascii") as file:
        return next(int(line.split()[2]) for line in file if "eth0:" in line)


def stay_whole(lab):
    offloads(lab, client="on", app="on", gateway="on", netfilter="on")
    before = frames(lab)
    flows = transfer(lab, 2_000_000)
    taken = frames(lab) - before
    packets = sum(flow["packets_forward"] + flow["packets_back"] for flow in flows)
    expect("there are as many packets as the bytes need", packets > 2 * 3 * 2_000_000 // 1500, True)
    expect(f"{packets} packets in {taken} pieces, fewer than half", taken < packets / 2, True)
    return f"{packets} packets through the appliance in {taken} pieces"


def datagrams_in_one_piece(lab):
    """They cannot come back in one piece: dropped by name."""
    send_ten(lab, "10.1.0.11", PORT)[0].close()
    wait_for("the drop", lambda: lab.drops() == {"super_packet": 1})


def datagrams_to_user_space(lab):
    """The interface towards the appliance makes ten of them."""
    s, data = send_ten(lab, "10.1.0.21", PORT)
    with s:
        got = sorted(s.recv(2000).split(b" ", 2)[2] for _ in data)
    expect("all ten", got == sorted(data), True)


def all_on(lab):
    for namespace in ("client", "one", "two", "three"):
        lab.run(namespace, "ethtool", "-K", "eth0", "tx", "on")


def programs(lab):
    """The interfaces that have an XDP program."""
    return [line.split(":")[1].split("@")[0].strip() for line in lab.run("gateway", "ip", "-o", "link").splitlines()
            if " xdp" in line]


def outlives_the_daemon(lab):
    harness_daemon.kill(lab)
    with lab.inside("client"), socket.create_connection(APPS[0][1:], 60) as s, s.makefile("rb") as stream:
        wanted = b"app 10.1.0.2 there"
        s.sendall(b"there")
        expect("a connection without a daemon", stream.read(len(wanted)), wanted)
        harness_daemon.start(lab)
        s.sendall(b"and back")
        expect("the same with the new one", stream.read(8), b"and back")
    expect("XDP programs", programs(lab), [])


def change(lab, before, after):
    text = lab.config.read_text()
    expect(f"{before!r} is there", before in text, True)
    lab.config.write_text(text.replace(before, after))
    return harness.command(harness.BIN / "sluice", "apply", lab.config, "--socket", lab.socket)


def changes_live(lab):
    """tc -> xdp -> auto -> tc while a connection lives."""
    with lab.inside("client"), socket.create_connection(APPS[0][1:], 60) as s, s.makefile("rb") as stream:
        greeting = b"app 10.1.0.2 "
        expect("the greeting", stream.read(len(greeting)), greeting)
        last = "entry: tc}"
        for entry, wanted in (("xdp", ["in0", "out0"]), ("auto", ["in0", "out0"]), ("tc", [])):
            change(lab, "load_balancer: inspect, " + last, "load_balancer: inspect, entry: " + entry + "}")
            last = f"entry: {entry}}}"
            expect(f"XDP programs with {entry}", sorted(programs(lab)), wanted)
            s.sendall(entry.encode())
            expect("the echo", stream.read(len(entry)), entry.encode())


def refused(lab, before, after, words):
    """A change of the configuration is refused, and the refusal has these words."""
    try:
        change(lab, before, after)
        refusal = "none"
    except harness.Failure as failure:
        refusal = str(failure)
    for word in words:
        expect(f"{word!r} in {refusal!r}", word in refusal, True)


def without_redirects(lab):
    """A bridge takes nothing of what XDP at the tunnel sends: TC there is refused by its name."""
    lab.run("gateway", "ip", "link", "add", "name", "apps0", "type", "bridge")
    before = lab.config.read_text()
    refused(lab, "inside: in0,", "inside: apps0,", ("ndo_xdp_xmit", "gateway.tunnel.entry: tc", "interface apps0"))
    lab.config.write_text(before)
    lab.run("gateway", "ip", "link", "del", "apps0")
    datagrams_to_user_space(lab)  # all is as it was


def without_native_xdp(lab):
    """Jumbo frames on a veth: `auto` takes TC, `xdp` is refused by the interface's name."""
    lab.run("gateway", "ip", "link", "set", "out0", "mtu", "9000")
    lab.run("client", "ip", "link", "set", "eth0", "mtu", "9000")
    change(lab, "inspect, entry: tc}", "inspect, entry: auto}")
    expect("XDP programs with auto", programs(lab), [])
    transfer(lab)
    refused(lab, "inspect, entry: auto}", "inspect, entry: xdp}", ("native XDP", "entry: tc", "interface out0"))
    transfer(lab)


if __name__ == "__main__":
    YAML = "testbed/scenarios/entries.yaml"
    harness.run(harness.Lab(YAML), ready, every_combination, stay_whole, datagrams_in_one_piece, outlives_the_daemon, changes_live,
                without_native_xdp, tools=("ethtool", "nft"))
    # An appliance in user space: the interface towards it makes packets of what is whole, and finishes checksums.
    TC = ("inside: in0, load_balancer: inspect}", "inside: in0, load_balancer: inspect, entry: tc}")
    NLB, PASS = "testbed/scenarios/nlb.yaml", ("sluice-ids", "sluice-pass")
    harness.run(harness.Lab(NLB, [mtu_test.SMALL, TC, PASS]), mtu_test.ready, all_on, datagrams_to_user_space, without_redirects,
                mtu_test.cut, mtu_test.told, tools=("ethtool",))
    harness.run(harness.Lab(NLB, [mtu_test.SMALL, mtu_test.CLAMP, TC, PASS]), mtu_test.ready, all_on, mtu_test.clamped)
