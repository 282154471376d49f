#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables_layout_test.py OBJECT: the tables that a new sluiced takes over are of the layout that it knows.

What an earlier process has left pinned is taken over if its kTablesLayout (tables.h) is the same. So nothing in a
table may change without that number: tables_layout.txt has each map and each field of its struct, with offset and
size, as the compiler has laid them out, below the number that they belong to. With SLUICE_ACCEPT=1 the file is written
anew, but only for a number that is higher than the file's.
"""
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FILE = HERE / "tables_layout.txt"


class Types:
    def __init__(self, program):
        dump = subprocess.run(["bpftool", "-j", "btf", "dump", "file", program], check=True, capture_output=True,
                              env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
        self.types = {t["id"]: t for t in json.loads(dump.stdout)["types"]}

    def plain(self, number):
        while self.types[number]["kind"] in ("TYPEDEF", "CONST", "VOLATILE"):
            number = self.types[number]["type_id"]
        return self.types[number]

    def size(self, number):
        t = self.plain(number)
        return t["nr_elems"] * self.size(t["type_id"]) if t["kind"] == "ARRAY" else t["size"]

    def fields(self, number, name, bits):
        """Each scalar below a field, as lines: name, offset, size."""
        t = self.plain(number)
        if t["kind"] in ("STRUCT", "UNION"):
            for m in t["members"]:
                label = name if m["name"] == "(anon)" else f"{name}.{m['name']}"
                yield from self.fields(m["type_id"], label, bits + m["bits_offset"])
            return
        element, many = t, ""
        while element["kind"] == "ARRAY":
            many += f"[{element['nr_elems']}]"
            element = self.plain(element["type_id"])
        if many and element["kind"] in ("STRUCT", "UNION"):
            yield f"{name}{many} at {bits // 8}, {self.size(number)} bytes"
            yield from self.fields(self.element_of(number), name + "[]", 0)
        else:
            yield f"{name}{many} at {bits // 8}, {self.size(number)} bytes"

    def element_of(self, number):
        while self.plain(number)["kind"] == "ARRAY":
            number = self.plain(number)["type_id"]
        return number

    def tables(self):
        section = next(t for t in self.types.values() if t["kind"] == "DATASEC" and t["name"] == ".maps")
        for var in section["vars"]:
            variable = self.types[var["type_id"]]
            members = {m["name"]: self.plain(m["type_id"]) for m in self.plain(variable["type_id"])["members"]}
            if "value" not in members:
                continue  # a ring of one process
            places = self.plain(members["max_entries"]["type_id"])["nr_elems"] if "max_entries" in members else "flows_max"
            value = members["value"]["type_id"]
            yield f"{variable['name']}: {places} of {self.size(value)} bytes"
            yield from ("  " + line for line in self.fields(value, self.plain(value)["name"], 0))


def main(program):
    number = int(re.search(r"kTablesLayout = (\d+)", (HERE / "tables.h").read_text()).group(1))
    now = [f"kTablesLayout = {number}", *Types(program).tables()]
    before = FILE.read_text().splitlines() if FILE.exists() else ["kTablesLayout = 0"]
    if now == before:
        return 0
    print("\n".join(difflib.unified_diff(before, now, FILE.name, program, lineterm="", n=1)))
    kept = int(before[0].rpartition(" ")[2])
    if number <= kept and now[1:] != before[1:]:
        print(f"\nThe tables have another layout, and kTablesLayout is still {number}: an upgraded sluiced would misread\n"
              f"those that its predecessor has pinned. Set it to {kept + 1} in tables.h, build, and run this test with\n"
              "SLUICE_ACCEPT=1.")
        return 1
    if os.environ.get("SLUICE_ACCEPT") == "1":
        FILE.write_text("\n".join(now) + "\n")
        print(f"{FILE.name} is that of {number} now")
        return 0
    print(f"\n{FILE.name} is that of {kept}: run this test with SLUICE_ACCEPT=1.")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
