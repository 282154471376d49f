#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Scapy's GENEVE layer as a second reader and a second writer of our header: geneve_scapy_test.py TOOL"""
import random
import subprocess
import sys

try:
    from scapy.contrib.geneve import GENEVE, GeneveOptions
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6
except ImportError as error:
    print(f"SKIP: {error}")
    sys.exit(77)

CLASS = 0x0108
EXAMPLE = bytes.fromhex("0800080000000000" "010801022b8ee1d4db0c51c4"
                        "010802020000000000000000" "01080301c00c1e01")
INNER = {0x0800: IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2),
         0x86DD: IPv6(src="fd01::1", dst="fd01::2") / UDP(sport=1, dport=2)}


def tool(lines):
    done = subprocess.run([sys.argv[1]], input="\n".join(lines) + "\n", text=True,
                          capture_output=True, check=True)
    return done.stdout.splitlines()


def option(kind, data, option_class=CLASS):
    return GeneveOptions(classid=option_class, type=kind, length=len(data) // 4, data=data)


def written_by_scapy(endpoint, attachment, cookie, vni, protocol, shuffle=None):
    options = [option(1, endpoint.to_bytes(8, "big")), option(2, attachment.to_bytes(8, "big")),
               option(3, cookie.to_bytes(4, "big"))]
    if shuffle:
        options.append(option(shuffle.randrange(4, 128), bytes(4 * shuffle.randrange(0, 8))))
        shuffle.shuffle(options)
    # Scapy 2.5 masks the length that it works out itself with 0x2f, so it is told.
    words = sum(len(o) for o in options) // 4
    return bytes(GENEVE(optionlen=words, vni=vni, proto=protocol, options=options) / INNER[protocol])


# Scapy 2.5 leaves the options that follow an option in that one's payload.
def options_of(layer):
    rest = b"".join(bytes(o) for o in layer.options)
    while rest:
        read = GeneveOptions(rest)
        yield read
        rest = bytes(read.payload)


def read_by_scapy(data):
    layer = GENEVE(data)
    options = list(options_of(layer))
    values = {o.type: int.from_bytes(o.data, "big") for o in options if o.classid == CLASS}
    assert (layer.version, layer.oam, layer.critical, len(options)) == (0, 0, 0, 3)
    inner = IP if layer.proto == 0x0800 else IPv6
    assert layer.haslayer(inner), layer.summary()
    return values[1], values[2], values[3], layer.vni, layer.proto


def cases():
    rng = random.Random(8926)
    yield 0x2B8EE1D4DB0C51C4, 0, 0xC00C1E01, 0, 0x0800
    yield 2**64 - 1, 2**64 - 1, 2**32 - 1, 2**24 - 1, 0x86DD
    for _ in range(300):
        yield (rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(32), rng.getrandbits(24),
               rng.choice(list(INNER)))


def main():
    rng = random.Random(1)
    values = list(cases())
    ours = [bytes.fromhex(line) for line in tool("encode " + " ".join(f"{v:x}" for v in c) for c in values)]
    assert ours[0] == EXAMPLE, ours[0].hex()
    for case, header in zip(values, ours):
        assert read_by_scapy(header + bytes(INNER[case[4]])) == case, header.hex()
        assert written_by_scapy(*case)[:40] == header, header.hex()

    theirs = [written_by_scapy(*case, shuffle=rng) for case in values]
    for case, data, line in zip(values, theirs, tool("decode " + data.hex() for data in theirs)):
        length = 8 + 4 * (data[0] & 63)
        assert tuple(int(v, 16) for v in line.split()) == case + (length,), f"{data.hex()}: {line}"

    refusals = {
        "geneve_control": bytes(GENEVE(oam=1, proto=0x0800)),
        "geneve_version": bytes(GENEVE(version=1, proto=0x0800)),
        "geneve_option_missing": bytes(GENEVE(proto=0x0800)),
        "geneve_protocol": bytes(GENEVE(proto=0x6558)),
        "geneve_critical_option": bytes(GENEVE(proto=0x0800, options=[option(0x80, b"")])),
    }
    assert tool("decode " + data.hex() for data in refusals.values()) == list(refusals)
    print(f"{len(values)} headers each way, {len(refusals)} refusals")


main()
