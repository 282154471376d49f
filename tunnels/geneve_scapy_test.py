#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Scapy's GENEVE layer as a second reader and a second writer of our header: geneve_scapy_test.py TOOL"""
import random
import shutil
import subprocess
import sys
import tempfile

try:
    from scapy.contrib.geneve import GENEVE, GeneveOptions
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw
    from scapy.utils import wrpcap
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


def other_profiles():
    """What Scapy reads in the headers of the other profiles."""
    rng = random.Random(132)
    for _ in range(100):
        endpoint, profile_id, leaving = rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(1)
        google, plain = (bytes.fromhex(line) for line in tool(
            f"say {name} {endpoint:x} {profile_id:x} {leaving} 800" for name in ("google", "plain")))
        layer = GENEVE(google + bytes(INNER[0x0800]))
        options = {(o.classid, o.type): int.from_bytes(o.data, "big") for o in options_of(layer)}
        assert options == {(0x0132, 1): (endpoint & 0xfffffff) << 4 | leaving, (0x0132, 2): endpoint,
                           (0x0132, 3): profile_id}, google.hex()
        assert (layer.version, layer.oam, layer.critical, layer.vni, layer.proto) == (0, 0, 0, 0, 0x0800)
        assert layer.haslayer(IP) and len(google) == 40
        layer = GENEVE(plain + bytes(INNER[0x0800]))
        assert (layer.optionlen, layer.vni, layer.proto, list(layer.options)) == (0, endpoint & 0xffffff, 0x0800, [])
        assert layer.haslayer(IP) and len(plain) == 8


def google_by_wireshark():
    """Wireshark has a decoder of its own for the options of Google."""
    if not shutil.which("tshark"):
        return "no tshark"
    rng = random.Random(133)
    wanted, frames = [], []
    for _ in range(20):
        endpoint, profile_id, leaving = rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(1)
        header = bytes.fromhex(tool([f"say google {endpoint:x} {profile_id:x} {leaving} 800"])[0])
        frames.append(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.9.0.1", dst="10.9.0.11") /
                      UDP(sport=40000, dport=6081, chksum=0) / Raw(header + bytes(INNER[0x0800])))
        wanted.append(["0x000000", str(endpoint & 0xfffffff), str(leaving), f"{endpoint:016x}", str(profile_id)])
    fields = ["vni", "option.gcp.vnid", "option.gcp.direction", "option.gcp.endpoint", "option.gcp.profile"]
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        wrpcap(file.name, frames)
        done = subprocess.run(["tshark", "-r", file.name, "-T", "fields", *[w for f in fields for w in ("-e", f"geneve.{f}")]],
                              text=True, capture_output=True, check=True)
    got = [[field.replace(":", "") for field in line.split("\t")] for line in done.stdout.splitlines()]
    assert got == wanted, (got, wanted)
    return f"{len(got)} read by Wireshark"


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
    other_profiles()
    print(f"{len(values)} headers each way, {len(refusals)} refusals, {google_by_wireshark()}")


main()
