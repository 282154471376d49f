#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A file with mistakes is read while the gateway runs: every mistake is named, and nothing changes."""
import os
import signal
import subprocess

import harness
from harness import expect, wait_for

# What becomes what in the file (the first time it is there), and what stands at the reported place.
MISTAKES = [
    ("target_group: dpi", "target_group: dip", "dip"),
    ("{protocol: UDP", "{protocol: ICMP", "ICMP"),
    ("address: 10.1.0.80", "address: 10.1.0.800", "10.1.0.800"),
    ("attachments:", "attachements:", "- {name: front"),
    ("unhealthy_threshold_count: 2", "unhealthy_threshold_count: 20", "20}"),
    ("priority: 10", "priority: soon", "soon"),
]


def place(text, needle):
    """LINE:COLUMN of the first occurrence."""
    at = text.index(needle)
    return f"{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}"


def ready(lab):
    lab.wait_until_healthy("ids", "dpi", "echo-udp", "echo-tcp", "web", "api")  # their states are compared below
    with lab.inside("client"):
        wait_for("the application answers", lambda: harness.connects("10.1.0.11", 80))


def hang_up(lab, text):
    """Puts the text into the file, sends SIGHUP; returns a function: what the gateway has logged since."""
    before = len(lab.log("gateway", "sluiced"))
    lab.config.write_text(text)
    os.kill(lab.pid("gateway"), signal.SIGHUP)
    return lambda: lab.log("gateway", "sluiced")[before:].splitlines()


def state(lab):
    """All that a configuration makes."""
    targets = [{name: t.get(name) for name in ("target_group", "id", "port", "state", "index", "share")}
               for t in lab.ask("targets")["targets"]]
    return targets, lab.ask("explain", protocol="tcp", source="10.1.0.2", source_port=4242, destination="10.1.0.11",
                            destination_port=80, attachment="front")["story"]


def every_mistake_is_named(lab):
    good, before = lab.config.read_text(), state(lab)
    bad = good
    for right, wrong, _ in MISTAKES:
        bad = bad.replace(right, wrong, 1)
    log = hang_up(lab, bad)
    validated = subprocess.run([harness.BIN / "sluice", "validate", lab.config], capture_output=True, text=True,
                               check=False)
    expect("exit status of validate", validated.returncode, 1)
    errors = validated.stderr.splitlines()
    expect("places", sorted(e.split(": ")[0] for e in errors),
           sorted(f"{lab.config}:{place(bad, needle)}" for _, _, needle in MISTAKES))
    wait_for("every error is logged", lambda: all(any(line.endswith(e) for line in log()) for e in errors))
    expect("state", state(lab), before)
    with lab.inside("client"):
        expect("traffic", harness.http("10.1.0.11")[0], 200)
    lab.config.write_text(good)
    return f"{len(errors)} errors"


def no_yaml(lab):
    good, before = lab.config.read_text(), state(lab)
    for text in ("", "gateway: [", "\0\1\2", "a: " + "[" * 100, "x" * 2_000_000):
        log = hang_up(lab, text)
        wait_for("an error is logged", lambda: any(" error " in line for line in log()))
        expect("state", state(lab), before)
        with lab.inside("client"):
            expect("traffic", harness.http("10.1.0.11")[0], 200)
    lab.config.write_text(good)


def a_good_file_is_taken(lab):
    text = lab.config.read_text()
    hang_up(lab, text.replace("targets: [{id: 10.9.0.11}, {id: 10.9.0.12}]", "targets: [{id: 10.9.0.12}]"))
    wait_for("one is drained", lambda: any(
        t["id"] == "10.9.0.11" and t["state"] == "draining" for t in lab.ask("targets")["targets"]))
    wait_for("the other has all rows", lambda: lab.targets("ids")["10.9.0.12"]["share"] == 1)
    with lab.inside("client"):
        for port in range(42000, 42020):
            expect("traffic", harness.http("10.1.0.11", local=("10.1.0.2", port))[0], 200)
    expect("appliances in use", {f["appliance"] for f in lab.flows(protocol="tcp") if f["source_port"] >= 42000 and
                                 f["source_port"] < 42020}, {"10.9.0.12"})


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/lab/demo.yaml"), ready, every_mistake_is_named, no_yaml, a_good_file_is_taken)
