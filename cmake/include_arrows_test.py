#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The arrows between the folders hold: include_arrows_test.py CXX BUILD_DIR

Compiles one source per pair of folders with the include roots that the build gives the first folder's
targets; it must compile where the arrow is allowed and fail where it is not. Then looks at what the build
really passes to the compiler: no source has a root that its folder may not use.
"""
import json
import pathlib
import re
import subprocess
import sys

MAY_INCLUDE = {
    "tunnels": {"tunnels"},
    "inspect": {"tunnels", "inspect"},
    "gateway": {"tunnels", "gateway"},
    "appliances": {"tunnels", "inspect", "appliances"},
    "testbed": {"tunnels", "inspect", "gateway", "appliances", "testbed"},
}
# A header that needs no library, so that only the path decides; any file will do where none is.
HEADER = {
    "tunnels": "tunnels/integers.h",
    "inspect": "inspect/CMakeLists.txt",
    "gateway": "gateway/CMakeLists.txt",
    "appliances": "appliances/sdk/appliance.h",
    "testbed": "testbed/CMakeLists.txt",
}
CXX, BUILD = sys.argv[1], pathlib.Path(sys.argv[2])
failures = 0


def report(good, text):
    global failures
    failures += not good
    print("ok  " if good else "FAIL", text)


def compiles(folder, source):
    roots = (BUILD / "roots" / f"{folder}.includes").read_text().split()
    command = [CXX, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"] + [f"-I{root}" for root in roots]
    # From "/", because a quoted include looks into the current folder first.
    done = subprocess.run(command, cwd="/", input=source, text=True, capture_output=True, check=False)
    return done.returncode == 0


for folder, allowed in MAY_INCLUDE.items():
    for other, header in HEADER.items():
        if header.endswith(".h"):
            source = f'#include "{header}"\nint main() {{ return 0; }}\n'
        else:
            source = f'#if !__has_include("{header}")\n#error no such file\n#endif\n'
        expected = other in allowed
        verb = "may" if expected else "may not"
        report(compiles(folder, source) == expected, f"{folder} {verb} include {header}")

sources = pathlib.Path(__file__).parent.parent
for entry in json.loads((BUILD / "compile_commands.json").read_text()):
    try:
        folder = pathlib.Path(entry["file"]).relative_to(sources).parts[0]
    except ValueError:
        continue
    if folder not in MAY_INCLUDE:
        continue  # made by the build
    roots = set(re.findall(rf"-I{re.escape(str(BUILD))}/roots/(\w+)", entry["command"]))
    whole_tree = f"-I{sources} " in entry["command"]
    if roots - MAY_INCLUDE[folder] or whole_tree:
        report(False, f"{entry['file']} is compiled with roots {sorted(roots)}")

sys.exit(failures != 0)
