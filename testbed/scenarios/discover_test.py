#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A target group follows a file, a DNS name, a real etcd: an appliance joins and packets go to it, it leaves and they
do not, and a source that fails takes nothing away. The lab is drawn in discover.yaml; appliances join the etcd with the
script of docs/features/discovery.md."""
import contextlib
import http.server
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading

import harness
from harness import becomes, expect, wait_for

ONE, TWO = "10.9.0.11", "10.9.0.12"
REGISTRY = "10.9.0.5"
PATIENCE_S = 90  # leases, and pauses before a source is asked again, come on top


def follow(lab, source):
    """The running gateway's group follows this from now on."""
    text = lab.config.read_text()
    lab.config.write_text(re.sub(r"^    discover: .*$", f"    discover: {source}", text, count=1, flags=re.M))
    lab.run("gateway", harness.BIN / "sluice", "apply", lab.config, "--socket", lab.socket)


def shares(lab):
    """How much of the traffic each target that is not draining gets."""
    return {t["id"]: t["share"] for t in lab.targets("ids").values()}


def inspected_by(lab, *addresses):
    """Waits until exactly these share the traffic, and sees packets go to them alone."""
    last = {}

    def reached():
        last.update(now=shares(lab))
        return set(last["now"]) == set(addresses) and all(s > 0.9 / len(addresses) / 2 for s in last["now"].values())
    try:
        wait_for("the appliances", reached, PATIENCE_S)
    except harness.Failure as failure:
        raise harness.Failure(f"{failure} {addresses}: {last}") from None
    before = {a: t["packets_sent"] for a, t in lab.targets("ids").items()}
    with lab.inside("client"):
        for _ in range(64):
            wait_for("a way through", lambda: harness.connects("10.2.0.11", 7000))
    after = {a: t["packets_sent"] for a, t in lab.targets("ids").items()}
    expect("who got packets", {a for a in addresses if after[a] > before[a]}, set(addresses))


def metrics(lab):
    with lab.inside("gateway"):
        _, page = harness.http("127.0.0.1", 9410, "/metrics")
    return dict(re.findall(r'^sluice_discovery_(\w+)\{target_group="ids"\} (\S+)$', page.decode(), re.M)), page


def failing(lab):
    return metrics(lab)[0]["up"] == "0"


def file(lab):
    """A list that is renamed into its place; one with an error; none."""
    path = lab.folder / "ids"

    def write(text):
        (lab.folder / "new").write_text(text)
        os.rename(lab.folder / "new", path)
    with lab.inside("server"):
        lab.resources.enter_context(harness.Server("server", 7000))
    write(f"{ONE}\n")
    follow(lab, "{file: %s}" % path)
    inspected_by(lab, ONE)
    write(f"{ONE}  # the first\n{TWO}:6081\n")
    inspected_by(lab, ONE, TWO)
    write(f"{ONE}\n\nsecond line is empty\n")
    wait_for("the error", lambda: failing(lab))
    lab.wait_for_log("gateway", "sluiced", f"{path}:3: no IP address")
    expect("nothing of the text is told", "second line" in lab.log("gateway", "sluiced"), False)
    inspected_by(lab, ONE, TWO)
    os.unlink(path)
    inspected_by(lab, ONE, TWO)
    write(f"{TWO}\n")
    inspected_by(lab, TWO)
    expect("who changed it", lab.ask("history", limit=1)["generations"][0]["author"], "discovery:ids")
    try:
        lab.ask("register", target_group="ids", id=ONE)
        raise harness.Failure("a target was registered by hand")
    except harness.Failure as failure:
        expect("by hand", "are found by file:" in str(failure), True)


class Names:
    """A DNS server: `addresses` for A questions about `name`, SERVFAIL while `fails`, no such name otherwise."""

    def __init__(self, name):
        self.name, self.addresses, self.fails = name, [], False
        self.socket = harness.udp_socket(REGISTRY, 53, timeout=0.2)
        self.running = True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while self.running:
            with contextlib.suppress(socket.timeout):
                question, peer = self.socket.recvfrom(512)
                self.socket.sendto(self._answer(question), peer)

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += question[at] + 1
        known = ".".join(labels) == self.name and question[at + 1:at + 3] == b"\0\1"
        code = 2 if self.fails else 0 if known else 3
        answers = self.addresses if code == 0 else []
        head = question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(answers), 0, 0)
        return head + question[12:at + 5] + b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(a) for a in answers)


def name(lab):
    """A name with one address, with two, a server that fails, a name that is gone, a server that is gone."""
    with contextlib.ExitStack() as stack:
        with lab.inside("registry"):
            names = stack.enter_context(Names("ids.example"))
        names.addresses = [ONE]
        follow(lab, "{dns: {name: ids.example, servers: [%s]}}" % REGISTRY)
        inspected_by(lab, ONE)
        names.addresses = [TWO, ONE]
        inspected_by(lab, ONE, TWO)
        names.fails = True
        wait_for("the failure", lambda: failing(lab), PATIENCE_S)
        inspected_by(lab, ONE, TWO)
        names.fails, names.addresses = False, [TWO]
        inspected_by(lab, TWO)
        names.name = "other.example"
        wait_for("the failure", lambda: failing(lab), PATIENCE_S)
        inspected_by(lab, TWO)
    lab.wait_for_log("gateway", "sluiced", "the name has no such records; the targets stay as they are")


class Etcd:
    def __init__(self, lab):
        self.lab = lab
        self.process = None

    def start(self):
        client, peer = f"http://{REGISTRY}:2379", f"http://{REGISTRY}:2380"
        log = (self.lab.run_folder / "logs/registry-etcd.log").open("a")
        with self.lab.inside("registry"):
            self.process = subprocess.Popen(
                ["etcd", "--name", "one", "--data-dir", self.lab.folder / "etcd", "--initial-cluster", f"one={peer}",
                 "--listen-client-urls", client, "--advertise-client-urls", client,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--unsafe-no-fsync"],
                stdout=log, stderr=log)
        log.close()
        wait_for("etcd", lambda: self.control("endpoint", "health"), PATIENCE_S)

    def control(self, *words):
        with self.lab.inside("registry"):
            done = subprocess.run(["etcdctl", "--endpoints", f"http://{REGISTRY}:2379", *words], capture_output=True,
                                  text=True, check=False, env={**os.environ, "ETCDCTL_API": "3"})
        return done.stdout + done.stderr if done.returncode == 0 else None

    def done(self, *words):
        """Tried again, as by a client that etcd has not answered in time."""
        return wait_for(f"etcdctl {words}", lambda: self.control(*words))

    def end(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def joined(lab, namespace, address):
    """The appliance of this namespace keeps itself registered, with the words of the page."""
    page = (harness.SOURCE / "docs/features/discovery.md").read_text()
    script = re.search(r"```sh\n(.*?)```", page, re.S)[1]
    with lab.inside(namespace):
        process = subprocess.Popen(["bash", "-c", script], start_new_session=True, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env={**os.environ, "ADDRESS": address})
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def etcd(lab):
    """Appliances join by starting and leave when their lease ends; etcd is compacted, killed, and comes back."""
    server = Etcd(lab)
    server.start()
    lab.resources.callback(server.end)
    with joined(lab, "fw1", ONE):
        follow(lab, "{etcd: {endpoints: ['http://%s:2379'], prefix: /sluice/ids/}}" % REGISTRY)
        inspected_by(lab, ONE)
        with joined(lab, "fw2", TWO):
            inspected_by(lab, ONE, TWO)
        inspected_by(lab, ONE)  # its lease has ended
        for i in range(20):
            server.done("put", "/elsewhere", str(i))
        revision = re.search(r'"revision":(\d+)', server.done("get", "/", "-w", "json"))[1]
        server.done("compact", revision)
        server.done("put", "/sluice/ids/broken", "no address")
        wait_for("what is left out", lambda: metrics(lab)[0]["unusable_total"] != "0", PATIENCE_S)
        inspected_by(lab, ONE)
        server.done("put", "/sluice/ids/by-hand", TWO)
        inspected_by(lab, ONE, TWO)
        server.end()
        wait_for("the failure", lambda: failing(lab), PATIENCE_S)
        inspected_by(lab, ONE, TWO)
        server.start()
        wait_for("it is heard again", lambda: not failing(lab), PATIENCE_S)
        server.done("del", "/sluice/ids/by-hand")
        inspected_by(lab, ONE)
    _, page = metrics(lab)
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=page, check=True)


class Web(http.server.ThreadingHTTPServer):
    """Answers every request with its own port."""

    def __init__(self, port):
        super().__init__(("10.2.0.11", port), Port)
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Port(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(self.server.server_port).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def application(lab):
    """The targets of an application load balancer: the daemon finds them, the proxy follows."""
    path = lab.run_folder.parent / "discov.web"

    def write(text):
        new = path.with_suffix(".new")
        new.write_text(text)
        new.rename(path)
    lab.resources.callback(path.unlink, missing_ok=True)

    def answered_by(*ports):
        """Requests come to exactly these, in turn."""
        def seen():
            answers = [harness.http("10.2.0.80") for _ in range(4)]
            return {int(body) for _, body in answers} if all(a and a[0] == 200 for a in answers) else answers
        with lab.inside("client"):
            becomes("who answers", seen, set(ports))
    with lab.inside("server"):
        for port in (8081, 8082):
            lab.resources.enter_context(Web(port))
    write("10.2.0.11\n")
    answered_by(8081)
    write("10.2.0.11\n10.2.0.11:8082\n")
    answered_by(8081, 8082)
    write("10.2.0.11:8082\n")
    answered_by(8082)


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/discover.yaml"), file, application, name, etcd, tools=("etcd", "etcdctl"))
