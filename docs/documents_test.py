#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents say is so: package lists agree, example bytes are the tests', links lead somewhere, the conformance list
and the failure matrix have their tests."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BUILD = pathlib.Path(os.environ.get("SLUICE_BIN", ROOT / "build/dev/bin")).parent
failures = []


def demand(condition, text):
    if not condition:
        failures.append(text)


def packages_agree():
    listed = {line.split("#")[0].strip() for line in (ROOT / ".ci/packages").read_text().splitlines()} - {""}
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", (DOCS / "dependencies.md").read_text(), re.M)
    explained = {name for name, _ in rows}
    demand(len(rows) == len(explained), "docs/dependencies.md names a package twice")
    for name in sorted(listed - explained):
        demand(False, f"docs/dependencies.md: no reason for {name}, which .ci/packages lists")
    for name in sorted(explained - listed):
        demand(False, f"docs/dependencies.md: {name} is not in .ci/packages")
    for name, reason in rows:
        demand(len(reason) > 10, f"docs/dependencies.md: {name} has no reason")


# The bytes in the page, against the ones that tunnels/geneve_test.cc demands of the codec.
def geneve_example_is_the_tested_one():
    page = (DOCS / "wire/geneve.md").read_text()
    block = re.search(r"```hex\n(.*?)```", page, re.S)
    demand(block is not None, "docs/wire/geneve.md: no ```hex block")
    if not block:
        return
    shown = "".join(re.findall(r"\b[0-9a-f]{2}\b", re.sub(r"#.*", "", block[1])))
    test = (ROOT / "tunnels/geneve_test.cc").read_text()
    tested = ""
    for name in ("kBase", "kEndpoint", "kAttachment", "kCookie"):
        values = re.search(rf"const Bytes {name} = \{{([^}}]*)\}}", test)[1]
        tested += "".join(f"{int(v, 0):02x}" for v in values.replace(" ", "").replace("\n", "").split(","))
    demand(shown == tested, f"docs/wire/geneve.md shows {shown}, the codec's test demands {tested}")


def links_lead_somewhere():
    listing = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "*.md"], capture_output=True, check=False)
    for name in filter(None, listing.stdout.decode().split("\0")):
        page = ROOT / name
        prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
            if not target.startswith("http"):
                demand((page.parent / target).exists(), f"{name}: link to {target}, which is not there")


# docs/conformance.md names every test of the list, and only tests that there are.
def conformance_names_its_tests():
    page = (DOCS / "conformance.md").read_text()
    rows = re.findall(r"^\| (\d+) \|.*`.*\|$", page, re.M)
    demand(rows == [str(n) for n in range(1, 13)], f"docs/conformance.md has the rows {rows}, not 1 to 12 with a test each")
    named = set(re.findall(r"`([^`\s]+)`", page))
    sources = {path.name: path.read_text() for path in (ROOT / "gateway").rglob("*_test.cc")}
    tests = {f"{suite}.{name}" for text in sources.values() for suite, name in re.findall(r"^TEST(?:_F)?\((\w+), (\w+)\)", text, re.M)}
    both_hosts = {name for file, text in sources.items() if file.startswith("conformance")
                  for name in re.findall(r"^TEST_P\(\w+, (\w+)\)", text, re.M)}
    demand({n for n in named if n.startswith("Row")} == both_hosts,
           f"docs/conformance.md: not as in the tests: {sorted(both_hosts ^ {n for n in named if n.startswith('Row')})}")
    for name in sorted(n for n in named if re.fullmatch(r"[A-Z]\w+\.[A-Z]\w+", n)):
        demand(name in tests, f"docs/conformance.md: no test {name}")
    listing = subprocess.run(["ctest", "--test-dir", BUILD, "-N", "-L", "^conformance$"], capture_output=True, text=True, check=False)
    labelled = set(re.findall(r"Test +#\d+: (\w+)", listing.stdout))
    shown = {n for n in named if re.fullmatch(r"\w+_(test|conformance)", n)}
    demand(labelled == shown, f"docs/conformance.md: not as labelled in the build: {sorted(labelled ^ shown)}")


# docs/features/failure-matrix.md has the cells of its scenario, and names tests that there are.
def failure_matrix_is_the_tested_one():
    sys.path.insert(0, str(ROOT / "testbed/scenarios"))
    sys.dont_write_bytecode = True
    from failure_matrix_test import table  # pylint: disable=import-outside-toplevel,import-error
    page = (DOCS / "features/failure-matrix.md").read_text()
    demand("\n".join(table()) in page, "docs/features/failure-matrix.md: not the cells of failure_matrix_test.py")
    tests = "".join(path.read_text() for path in (ROOT / "gateway").rglob("*_test.cc"))
    for suite, name in re.findall(r"`([A-Z]\w+)\.([A-Z]\w+)`", page):
        demand(f"({suite}, {name})" in tests, f"docs/features/failure-matrix.md: no test {suite}.{name}")
    for name in re.findall(r"`(testbed/\S+)`", page):
        demand((ROOT / name).exists(), f"docs/features/failure-matrix.md: no {name}")


packages_agree()
failure_matrix_is_the_tested_one()
conformance_names_its_tests()
geneve_example_is_the_tested_one()
links_lead_somewhere()
print("\n".join(failures) or "ok")
sys.exit(bool(failures))
