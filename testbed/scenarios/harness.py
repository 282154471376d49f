# SPDX-License-Identifier: Apache-2.0
"""What the scenarios stand on: a lab of their own, the gateway's API, and from harness_traffic.py clients and
applications inside of its namespaces.

    with Lab("testbed/lab/demo.yaml") as lab, lab.inside("client"):
        socket.create_connection(("10.1.0.11", 80))

A lab has a name with the process id in it, so scenarios of several users do not meet. Leaving it takes it down,
and fails if a namespace stays or a program of it had something to say about memory (AddressSanitizer).
"""
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from harness_traffic import DATA, Server, comes_back, connects, http, udp_socket  # noqa: F401, for the scenarios

SOURCE = pathlib.Path(os.environ.get("SLUICE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("SLUICE_BIN", SOURCE / "build/dev/bin"))
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """An expectation that does not hold."""


def expect(what, got, wanted):
    if got != wanted:
        raise Failure(f"{what}: {got!r} instead of {wanted!r}")


PATIENCE_S = 60  # for what other processes do on a busy machine; only a failure takes that long


def wait_for(what, condition, timeout=PATIENCE_S):
    """Returns the first true value of condition()."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"not within {timeout} s: {what}")
        time.sleep(0.02)  # between two questions
    return value


def becomes(what, get, wanted):
    """Waits until get() returns what is wanted; for all that another process, thread or timer does."""
    last = []

    def reached():
        last[:] = [get()]
        return last == [wanted]
    try:
        wait_for(what, reached)
    except Failure as failure:
        raise Failure(f"{failure}: {last[0]!r} instead of {wanted!r}") from None


def wait_for_equal(counts):
    """Waits until all values of the dictionary that counts() returns are the same; returns that value."""
    last = {}

    def equal():
        last.update(counts())
        return len(set(last.values())) == 1
    try:
        wait_for("equal counts", equal)
    except Failure as failure:
        raise Failure(f"{failure}: {last}") from None
    return next(iter(last.values()))


def command(*words):
    """Runs a command and returns what it printed."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(str(w) for w in words)}: {done.stdout}{done.stderr}")
    return done.stdout


def runs(pid):
    """Whether the process has not ended; one that nobody has waited for yet has."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "ZX"
    return False


def events_of(path):
    """What an appliance has written to its EVE file; the last line may not be whole yet."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


class Lab:
    """The lab of a configuration file, under a name of its own; `edits` are (old, new) texts of the copy."""

    def __init__(self, topology, edits=()):
        self.topology = SOURCE / topology
        self.edits = edits
        stem = re.sub("[^a-z]", "", self.topology.stem)[:6]
        self.name = f"{stem}{os.getpid()}"
        self.socket = f"/run/sluice/{self.name}.sock"
        self.folder = None
        self.resources = contextlib.ExitStack()  # what a scenario leaves open for the next ones
        self.daemon = None  # that harness_daemon.start() has started

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.folder.chmod(0o755)
        for file in self.topology.parent.iterdir():
            if file.suffix in (".rules", ".conf", ".yaml", ".sh"):
                shutil.copy(file, self.folder)
        self.config = self.folder / self.topology.name
        text = self.config.read_text()
        old = re.search(r"^gateway:\n  name: (\S+)", text, re.MULTILINE)[1]
        text = text.replace(f"  name: {old}\n", f"  name: {self.name}\n", 1)
        text = text.replace(f"/run/sluice/{old}.sock", self.socket)
        text = text.replace(f"/run/sluice/{old}-proxies.sock", f"/run/sluice/{self.name}-proxies.sock")
        for before, after in self.edits:
            if before not in text:
                shutil.rmtree(self.folder)
                raise Failure(f"{self.topology} does not contain {before!r}")
            text = text.replace(before, after)
        self.config.write_text(text)
        try:
            command(BIN / "sluice", "lab", "up", self.config)
            self.logs = {path.name: path.open() for path in (self.run_folder / "logs").iterdir()}
            wait_for("the gateway's first answer", self.answers)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, _):
        if kind:
            self.show()
        self.resources.close()
        subprocess.run([BIN / "sluice", "lab", "down", self.name], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        if kind:
            for record in pathlib.Path("/run/sluice/splices").glob(f"{self.name}-*"):
                record.unlink()  # of an insert whose namespaces are gone now
            return
        expect("namespaces left", [n for n in os.listdir("/run/netns") if n.startswith(self.name + "-")], [])
        for name, log in self.logs.items():  # deleted, but still open here: with the programs' last words
            log.seek(0)
            said = log.read()
            log.close()
            if "Sanitizer" in said or "runtime error" in said:
                raise Failure(f"{name}: {said}")

    @property
    def run_folder(self):
        return pathlib.Path("/run/sluice/lab", self.name)

    def show(self):
        """The end of every log, for whoever has to find out what went wrong."""
        for path in sorted(self.run_folder.glob("logs/*")):
            lines = path.read_text(errors="replace").splitlines()[-8:]
            print(f"--- {path.name}", *lines, sep="\n    ")
        with contextlib.suppress(OSError, ValueError):
            print("--- drops", self.drops())

    @contextlib.contextmanager
    def inside(self, namespace):
        """This thread's sockets, commands and threads are the namespace's for as long."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}-{namespace}") as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(home)

    def run(self, namespace, *words):
        with self.inside(namespace):
            return command(*words)

    # ---- the gateway ----

    def ask(self, name, **fields):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE_S)
            s.connect(self.socket)
            s.sendall(json.dumps({"command": name, **fields}).encode() + b"\n")
            reply = json.loads(s.makefile().readline())
        if not reply.pop("ok"):
            raise Failure(f"{name}: {reply['error']}")
        return reply

    def answers(self):
        with contextlib.suppress(OSError, ValueError):  # nobody listens, or nobody any more
            return self.ask("version")
        return None

    def drops(self):
        """By reason; without those of the hosts' own multicast, which may come at any moment."""
        return {name: n for name, n in self.ask("counters")["drops"].items() if n and name != "neighbour_unresolved"}

    def verdicts(self):
        return self.ask("counters")["verdicts"]

    def targets(self, group):
        """Those that are registered; it may have others that drain."""
        return {t["id"]: t for t in self.ask("targets", target_group=group)["targets"] if t["state"] != "draining"}

    def flows(self, **wanted):
        return self.ask("flows", limit=10000, **wanted)["flows"]

    def flow(self, **wanted):
        """The only flow there is like this."""
        flows = self.flows(**wanted)
        expect(f"flows with {wanted}", len(flows), 1)
        return flows[0]

    def closed_flow(self, **wanted):
        """The same of a TCP connection, when the last FIN has come."""
        wait_for(f"the end of {wanted}", lambda: self.flow(protocol="tcp", **wanted)["state"] == "closed")
        return self.flow(protocol="tcp", **wanted)

    def wait_until_settled(self):
        """Until all that was sent to appliances was delivered; returns how many packets that were."""
        def counts():
            verdicts = self.verdicts()
            return {"sent": verdicts["target"], "delivered": verdicts["inside"] + verdicts["outside"]}
        return wait_for_equal(counts)

    def wait_until_healthy(self, *groups):
        """Until all targets of the groups get flows: they are healthy a moment before they have rows."""
        def serves(target):
            return target["state"] == "healthy" and (
                target["protocol"] == "HTTP" or target["resolved"] and target["share"] > 0)
        for group in groups:
            wait_for(f"all of {group} healthy, with rows", lambda: all(map(serves, self.targets(group).values())))

    def without_rows(self, group, target):
        """Waits until the target gets no new flows."""
        becomes(f"the share of {target}", lambda: self.targets(group)[target]["share"], 0)

    def pid(self, namespace):
        """Of the namespace's first program."""
        state = json.loads((self.run_folder / "state.json").read_text())
        return next(p["process"]["pid"] for p in state["programs"] if p["namespace"] == namespace)

    def log(self, namespace, program):
        return (self.run_folder / "logs" / f"{namespace}-{program}.log").read_text(errors="replace")

    def wait_for_log(self, namespace, program, text):
        wait_for(f"{text!r} in the log of {program}", lambda: text in self.log(namespace, program))


def _enter(namespace):
    if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace.name}")


def without_ipv6(lab, *namespaces):
    """Their kernels send nothing of their own any more: for counts that are exact."""
    for namespace in namespaces:
        with lab.inside(namespace), open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w", encoding="ascii") as switch:
            switch.write("1")


def missing_tools(tools):
    if os.geteuid() != 0:
        return "needs root"
    if not (BIN / "sluice").exists():
        return f"needs {BIN}/sluice"
    missing = [t for t in ("ip", *tools) if not shutil.which(t)]
    if missing:
        return "needs " + ", ".join(missing)
    probe = f"scn{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return "cannot make a network namespace: " + made.stderr.strip()
    subprocess.run(["ip", "netns", "del", probe], check=False)
    return None


def run(lab, *scenarios, tools=()):
    """Brings the lab up, runs the scenarios one after the other in it, and exits."""
    if reason := missing_tools(tools):
        print("SKIP:", reason)
        sys.exit(77)
    try:
        with lab:
            for scenario in scenarios:
                start = time.monotonic()
                note = scenario(lab)
                print(f"ok   {scenario.__name__} ({time.monotonic() - start:.1f} s){': ' + note if note else ''}",
                      flush=True)
    except Exception as error:  # pylint: disable=broad-except
        if not isinstance(error, Failure):
            traceback.print_exc(file=sys.stdout)
        else:
            frames = traceback.extract_tb(error.__traceback__)
            frame = next((f for f in reversed(frames) if "harness" not in f.filename), frames[-1])
            print(f"FAIL {frame.name}, line {frame.lineno}: {error}")
        sys.exit(1)
