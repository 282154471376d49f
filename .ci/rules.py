#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The project's own rules, on the files that git knows. Prints what breaks one; exit status 1 if anything does.

--lengths: the length of files, too.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINES_MAX = 400
# Longer files that are known. A number here may only get smaller; a file below LINES_MAX leaves the list.
LONG_FILES = {}
SOURCE = {".h", ".cc", ".c", ".py", ".sh", ".cmake"}
BAD_FOLDERS = {"common", "utils", "misc", "src", "include"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")
# Paths that exist only where somebody happened to work.
MACHINE_PATH = re.compile(r"(?<![\w.}$])/(work|home)/\w")


def files():
    listing = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, check=False)
    if listing.returncode != 0:
        print("SKIP: not a git work tree")
        sys.exit(77)
    return [pathlib.Path(name) for name in listing.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def lines_rule(path, lines):
    allowed = LONG_FILES.get(str(path), LINES_MAX)
    if len(lines) > allowed:
        yield f"{len(lines)} lines, at most {allowed}: what is the second subject?"
    if str(path) in LONG_FILES and len(lines) <= LINES_MAX:
        yield "short enough now: take it off LONG_FILES"


def broken_rules(path):
    if bad := BAD_FOLDERS.intersection(path.parts[:-1]):
        yield f"folder name {bad.pop()}: name it after what it holds"
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return  # a capture or a fuzz seed
    lines = text.splitlines()
    is_source = path.suffix in SOURCE or path.name in ("CMakeLists.txt", "dev") or text.startswith("#!")
    if is_source and not any("SPDX-License-Identifier:" in line for line in lines[:3]):
        yield "no SPDX line on top"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield "no #pragma once"
    if path.name != "LICENSE":
        for number, line in enumerate(lines, 1):
            if UNFINISHED.search(line):
                yield f"line {number}: unfinished work belongs to an issue"
            if MACHINE_PATH.search(line):
                yield f"line {number}: a path of one machine"
    if is_source and "--lengths" in sys.argv:
        yield from lines_rule(path, lines)


def main():
    broken = 0
    for path in files():
        for text in broken_rules(path):
            print(f"{path}: {text}")
            broken += 1
    return broken != 0


if __name__ == "__main__":
    sys.exit(main())
