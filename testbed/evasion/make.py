#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the captures of this folder: each trick once with the word that the rules look for, as NAME.pcap, and
once with another word of the same length, as NAME.harmless.pcap."""
import os

import decoy_tricks  # noqa: F401: they add to CASES
import http_tricks  # noqa: F401
import packet_tricks  # noqa: F401
import parser_tricks  # noqa: F401
from connection import CASES
from scapy.all import RawPcapWriter


def write(name, frames):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".pcap")
    with RawPcapWriter(path, linktype=1) as out:
        out.write_header(None)
        for number, packet in enumerate(frames):
            out.write_packet(bytes(packet), sec=1700000000 + number // 1000, usec=number % 1000 * 1000)


for case_name, build_case in CASES.items():
    write(case_name, build_case(b"attack"))
    write(case_name + ".harmless", build_case(b"attach"))
