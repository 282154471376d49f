#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules and events against the expectations of the Suricata project, case by case.

usage: suricata_conformance_test.py SLUICE_IDS SOURCE_DIR [CASE ...]

Runs every case in suricata-verify of $SLUICE_CONFORMANCE_DIR (default: ../shared/data seen from the
project's root): its capture through its rules, and its checks over the events. Prints how many
pass and every failure. The cases that fail are listed in conformance_failing.txt beside this
script, each with its reason: a case that fails and is not there, or is there and passes, fails the
test.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

SKIP = 77
VERSION = (9, 0, 0)  # expectations of older versions only do not count
FAILING = pathlib.Path(__file__).with_name("conformance_failing.txt")

OPERATIONS = {
    "__len": lambda a, b: len(a) == int(b),
    "__find": lambda a, b: str(b) in str(a),
    "__startswith": lambda a, b: str(a).startswith(str(b)),
    "__endswith": lambda a, b: str(a).endswith(str(b)),
    "__contains": lambda a, b: b in a,
    "__gt": lambda a, b: a > b,
    "__gte": lambda a, b: a >= b,
    "__lt": lambda a, b: a < b,
    "__lte": lambda a, b: a <= b,
}


def version(text):
    return tuple(int(n) for n in re.findall(r"\d+", str(text))[:3])


def counts(requires):
    """Whether an expectation is one of this version."""
    least, below = version(requires.get("min-version", 0)), requires.get("lt-version")
    only = requires.get("version")
    return (least <= VERSION[:len(least)]
            and (below is None or VERSION[:len(version(below))] < version(below))
            and (only is None or VERSION[:len(version(only))] == version(only)))


def lookup(event, path):
    """The value at a path like `dns.answers[0].rrname`, and whether it is there."""
    at = event
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", path):
        if part[0] == "[":
            if not isinstance(at, list) or int(part[1:-1]) >= len(at):
                return None, False
            at = at[int(part[1:-1])]
        elif isinstance(at, dict) and part in at:
            at = at[part]
        else:
            return None, False
    return at, True


def holds(event, path, wanted):
    path = str(path)
    if path in ("has-key", "not-has-key"):
        keys = wanted if isinstance(wanted, list) else [wanted]
        return all(lookup(event, key)[1] == (path == "has-key") for key in keys)
    head, _, operation = path.rpartition(".")
    if operation in OPERATIONS:
        value, there = lookup(event, head)
        try:
            return there and bool(OPERATIONS[operation](value, wanted))
        except (TypeError, ValueError):
            return False
    value, there = lookup(event, path)
    return there and (value == wanted or str(value) == str(wanted))


def wrong(check, events):
    """What is wrong with one check; None: it holds, or is none of events."""
    rule = check.get("filter")
    if rule is None or not counts({**rule, **(rule.get("requires") or {})}):
        return None
    wanted, match = rule.get("count", 1), rule.get("match") or {}
    found = sum(all(holds(event, *item) for item in match.items()) for event in events)
    at_least = str(wanted).startswith(">=")
    good = found >= int(str(wanted)[2:]) if at_least else found == wanted
    return None if good else f"{found} of {wanted}: {match}"


def arguments(case, described):
    out = []
    for line in described.get("args") or []:
        out += str(line).replace("${TEST_DIR}", str(case)).split()
    return out


def dns_version(case, described):
    """The version of DNS events that a case expects: by its environment, its settings, or 3."""
    if (case / "suricata.yaml").exists() and "version:" in (case / "suricata.yaml").read_text():
        return []
    version = (described.get("env") or {}).get("SURICATA_EVE_DNS_VERSION", 3)
    return ["--set", f"outputs.0.eve-log.types.0.dns.version={version}"]


def capture_of(case, described):
    """A case's capture: the one that it names, or the one beside it; None: it is not there."""
    named = described.get("pcap")
    if named and (case / named).exists():
        return case / named
    return next(iter(sorted(case.glob("*.pcap*"))), None)


def run_case(program, case, described, capture):
    """What is wrong with a case: a list of texts, empty if it passes."""
    rules = sorted(case.glob("*.rules"))
    command = [program, "-r", str(capture)]
    for file in rules:
        command += ["-S", str(file)]
    if (case / "suricata.yaml").exists():
        command += ["-c", str(case / "suricata.yaml")]
    command += dns_version(case, described)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command + ["-l", folder] + arguments(case, described),
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            return [f"exit code {done.returncode}: {done.stderr.strip().splitlines()[:1]}"]
        events = [json.loads(line) for line in open(f"{folder}/eve.json", encoding="utf-8")]
    return [text for check in described.get("checks") or []
            if (text := wrong(check, events)) is not None]


def main():
    program, source = sys.argv[1], pathlib.Path(sys.argv[2])
    data = pathlib.Path(os.environ.get("SLUICE_CONFORMANCE_DIR", source / "../shared/data"))
    cases = data / "suricata-verify"
    if not cases.is_dir():
        print(f"SKIP: no {cases}")
        return SKIP
    names = sys.argv[3:] or sorted(str(p.parent.relative_to(cases)) for p in cases.rglob("test.yaml"))
    known = {line.split()[0] for line in FAILING.read_text().splitlines()}
    passed, tried, unexpected = 0, 0, []
    for name in names:
        case = cases / name
        described = yaml.safe_load((case / "test.yaml").read_text(errors="replace")) or {}
        capture = capture_of(case, described)
        if not counts(described.get("requires") or {}) or capture is None:
            print(f"SKIP {name}: {'of another version' if capture else 'without a capture'}")
            continue
        tried += 1
        problems = run_case(program, case, described, capture)
        passed += not problems
        if bool(problems) != (name in known):
            unexpected.append(name)
        for problem in problems:
            print(f"FAIL {name}: {problem}")
    print(f"{passed} of {tried} cases pass; {len(unexpected)} not as listed: {unexpected}")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
