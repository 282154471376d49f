# SPDX-License-Identifier: Apache-2.0
"""What the scripts that make the golden captures share."""
import os
import sys

from scapy.all import IP, TCP, Ether, IPv6, RawPcapWriter

CLIENT_MAC = "02:00:00:00:01:01"
SERVER_MAC = "02:00:00:00:01:02"
CLIENT, SERVER = "10.1.0.2", "10.1.0.11"
CLIENT6, SERVER6 = "fd01::2", "fd01::11"


def ip(source, destination, **fields):
    return (IPv6 if ":" in source else IP)(src=source, dst=destination, **fields)


def to_server(*layers, vlans=(), source=CLIENT, destination=SERVER, **fields):
    return frame(CLIENT_MAC, SERVER_MAC, vlans, ip(source, destination, **fields), layers)


def to_client(*layers, vlans=(), source=SERVER, destination=CLIENT, **fields):
    return frame(SERVER_MAC, CLIENT_MAC, vlans, ip(source, destination, **fields), layers)


def frame(source_mac, destination_mac, vlans, packet, layers):
    out = Ether(src=source_mac, dst=destination_mac)
    for vlan in vlans:
        out /= vlan
    out /= packet
    for layer in layers:
        out /= layer
    return out


def conversation(request, response, client_port=40000, server_port=80, client=CLIENT, server=SERVER, **fields):
    """A TCP connection from SYN to the last ACK, with one request and one response."""
    up = dict(sport=client_port, dport=server_port)
    down = dict(sport=server_port, dport=client_port)
    there = dict(source=client, destination=server, **fields)
    back = dict(source=server, destination=client, **fields)
    a, b = 1000, 5000
    after_request, after_response = a + 1 + len(request), b + 1 + len(response)
    return [
        to_server(TCP(flags="S", seq=a, options=[("MSS", 1460)], **up), **there),
        to_client(TCP(flags="SA", seq=b, ack=a + 1, options=[("MSS", 1460)], **down), **back),
        to_server(TCP(flags="A", seq=a + 1, ack=b + 1, **up), **there),
        to_server(TCP(flags="PA", seq=a + 1, ack=b + 1, **up), request, **there),
        to_client(TCP(flags="PA", seq=b + 1, ack=after_request, **down), response, **back),
        to_server(TCP(flags="FA", seq=after_request, ack=after_response, **up), **there),
        to_client(TCP(flags="FA", seq=after_response, ack=after_request + 1, **down), **back),
        to_server(TCP(flags="A", seq=after_request + 1, ack=after_response + 1, **up), **there),
    ]


def write(frames, step_s=0.001):
    """Writes in.pcap beside the script, one frame per millisecond from a fixed moment on."""
    path = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "in.pcap")
    with RawPcapWriter(path, linktype=1) as out:
        out.write_header(None)
        for number, packet in enumerate(frames):
            microseconds = number * int(step_s * 1e6)
            out.write_packet(bytes(packet), sec=1700000000 + microseconds // 1000000, usec=microseconds % 1000000)
