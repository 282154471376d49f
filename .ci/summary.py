#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts test results by label: summary.py CTEST_OUTPUT BUILD_DIR...

Reads the lines that ctest printed and the labels that each build directory gives its tests. The last line
is the sum; the exit status is 1 if a test failed or if none ran.
"""
import collections
import json
import re
import subprocess
import sys

LINE = re.compile(r"^\s*\d+/\d+ Test\s+#\d+: (\S+) \.*\s*(.*?)\s+[\d.]+ sec\s*$")
OUTCOMES = ("passed", "failed", "skipped")


def labels_of(build):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"],
                             capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        return {}
    labels = {}
    for test in json.loads(listing.stdout)["tests"]:
        for prop in test.get("properties", []):
            if prop["name"] == "LABELS":
                labels[test["name"]] = prop["value"][0]
    return labels


def outcome(text):
    if text.startswith("Passed"):
        return "passed"
    return "skipped" if "Skipped" in text else "failed"


def main():
    labels = {}
    for build in sys.argv[2:]:
        labels.update(labels_of(build))
    counts = collections.defaultdict(collections.Counter)
    with open(sys.argv[1], encoding="utf-8", errors="replace") as output:
        for line in output:
            if match := LINE.match(line):
                counts[labels.get(match[1], "other")][outcome(match[2])] += 1

    print(f"\n{'label':<11} passed failed skipped")
    total = collections.Counter()
    for label, count in sorted(counts.items()):
        print(f"{label:<11} " + " ".join(f"{count[o]:>{len(o)}}" for o in OUTCOMES))
        total.update(count)
    print(", ".join(f"{total[o]} {o}" for o in OUTCOMES))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
