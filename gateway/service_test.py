#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sluiced and sluice-proxy under their systemd units, without systemd: they start by the unit's command with exactly the
capabilities that the unit leaves them (sluiced with none of those missing), say READY=1, RELOADING=1 and STOPPING=1, and
WATCHDOG=1 as often as they are asked to; the proxy serves what the daemon has. Everything happens in a network namespace
of its own."""
import http.client
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE_DIR"])
BIN = pathlib.Path(os.environ["SLUICE_BIN"])
PATIENCE_S = 60
CONFIG = """
gateway:
  name: service
  key: 00112233445566778899aabbccddeeff
  socket: {folder}/g.sock
  flow_table: {{flows_max: 4096}}
  proxies: {{socket: {folder}/proxies.sock}}
  tunnel: {{interface: gen0, address: 10.9.0.1}}
  nlb: {{interface: in0}}
load_balancers:
  - {{name: inspect, type: gateway, listeners: [{{default_actions: [{{type: forward, target_group: ids}}]}}]}}
  - name: names
    type: network
    listeners: [{{protocol: UDP, address: 10.1.0.100, port: 53, default_actions: [{{type: forward, target_group: dns}}]}}]
  - name: shop
    type: application
    listeners:
      - {{protocol: HTTP, address: 10.1.0.80, port: 80, default_actions: [{{type: fixed-response, status: 503, body: closed}}]}}
target_groups:
  - {{name: ids, protocol: GENEVE, targets: [{{id: 10.9.0.11}}]}}
  - {{name: dns, protocol: UDP, port: 53, targets: [{{id: 10.1.0.3}}]}}
attachments:
  - {{name: front, endpoint_id: 1, outside: out0, inside: in0, load_balancer: inspect}}
"""


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def capabilities(unit):
    line = re.search(r"^CapabilityBoundingSet=(.*)$", unit.read_text(), re.M)
    return [word.removeprefix("CAP_").lower() for word in line[1].split()]


def command(unit, folder):
    words = re.search(r"^ExecStart=(.*)$", unit.read_text(), re.M)[1]
    for here, there in (("/usr/sbin/", f"{BIN}/"), ("/etc/sluice/gateway.yaml", f"{folder}/g.yaml"),
                        ("${PROXIES}", f"{folder}/proxies.sock"), ("%i", "shop")):
        words = words.replace(here, there)
    return words.split()


class Daemon:
    def __init__(self, folder, unit, names):
        self.path = tempfile.mktemp(prefix="notify.", dir=folder)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)  # as systemd's: the proxy is nobody by then
        # Read at once, whoever waits for what: a daemon waits for room in its manager's queue.
        self.said = queue.SimpleQueue()
        threading.Thread(target=self.read, daemon=True).start()
        allowed = ",".join(["-all"] + ["+" + name for name in names])
        self.process = subprocess.Popen(
            ["setpriv", f"--bounding-set={allowed}", "--no-new-privs", *command(unit, folder)],
            env={**os.environ, "NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "200000"}, stderr=subprocess.PIPE, text=True)

    def read(self):
        while True:
            self.said.put(self.socket.recv(4096).decode().split("\n"))

    def hears(self, word):
        while True:
            said = self.said.get(timeout=PATIENCE_S)
            if word in said:
                return
            assert said == ["WATCHDOG=1"], f"{said} instead of {word}"


def start_and_stop(folder, unit, meanwhile, is_so=lambda: True):
    daemon = Daemon(folder, unit, capabilities(unit))
    try:
        daemon.hears("READY=1")
        assert is_so()
        for _ in range(3):
            daemon.hears("WATCHDOG=1")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.hears("RELOADING=1")
        daemon.hears("READY=1")
        meanwhile()
        daemon.process.terminate()
        daemon.hears("STOPPING=1")
    finally:
        daemon.process.terminate()
        _, log = daemon.process.communicate(timeout=PATIENCE_S)
    assert daemon.process.returncode == 0, log


def fails_without(folder, unit, names):
    daemon = Daemon(folder, unit, names)
    _, log = daemon.process.communicate(timeout=PATIENCE_S)
    assert daemon.process.returncode == 1, f"with {names} alone it starts: the unit leaves it too much\n{log}"


def addresses(folder):
    """What a daemon that was killed has left on the NLB's interface goes when the next one does not want it."""
    def there():
        return "10.1.0.100/32" in subprocess.run(["ip", "addr", "show", "in0"], capture_output=True, text=True, check=True).stdout
    unit = SOURCE / "gateway/sluiced.service"
    daemon = Daemon(folder, unit, capabilities(unit))
    daemon.hears("READY=1")
    assert there()
    daemon.process.kill()
    daemon.process.communicate()
    assert there()
    path = pathlib.Path(f"{folder}/g.yaml")
    text = path.read_text()
    path.write_text(re.sub(r"    listeners: \[\{protocol: UDP.*\n", "    listeners: []\n", text))
    start_and_stop(folder, unit, lambda: None, lambda: not there())
    path.write_text(text)


def page_is_served():
    deadline = time.monotonic() + PATIENCE_S
    while True:
        connection = http.client.HTTPConnection("10.1.0.80", timeout=PATIENCE_S)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (503, b"closed")
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the proxy does not serve what the daemon has"
            time.sleep(0.02)  # between two attempts
        finally:
            connection.close()


def verify_units(folder):
    if not shutil.which("systemd-analyze"):
        print("systemd-analyze is not here: the units are not verified")
        return
    units = [*SOURCE.glob("gateway/*.service"), *SOURCE.glob("gateway/alb/*.service"), *SOURCE.glob("appliances/*/*.service")]
    assert len(units) == 4
    for unit in units:
        # What the unit starts is not installed here.
        copy = pathlib.Path(folder) / unit.name.replace("@.", "@x.")
        copy.write_text(unit.read_text().replace("/usr/sbin/", f"{BIN}/"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if unit.stem in line or copy.name in line]
        assert done.returncode == 0 and not said, f"{unit.name}: {done.stdout}{done.stderr}"


def main():
    if os.geteuid() != 0:
        skip("needs root")
    if not shutil.which("setpriv") or not shutil.which("ip"):
        skip("needs setpriv and ip")
    if "INSIDE" not in os.environ:
        if subprocess.run(["unshare", "-n", "true"], check=False).returncode != 0:
            skip("cannot make a network namespace")
        os.execvpe("unshare", ["unshare", "-n", sys.executable, __file__], {**os.environ, "INSIDE": "1"})
    with tempfile.TemporaryDirectory(prefix="service_test.") as folder:
        verify_units(folder)
        pathlib.Path(f"{folder}/g.yaml").write_text(CONFIG.format(folder=folder))
        for name in ("out0", "in0", "gen0"):
            subprocess.run(f"ip link add {name} type veth peer name p{name} && ip link set {name} up && ip link set p{name} up",
                           shell=True, check=True)
        subprocess.run("ip link set lo up && ip addr add 10.9.0.1/24 dev gen0 && ip addr add 10.1.0.80/32 dev lo",
                       shell=True, check=True)
        os.chmod(folder, 0o755)  # the proxy is nobody by the time it connects
        unit = SOURCE / "gateway/sluiced.service"
        proxy = SOURCE / "gateway/alb/sluice-proxy@.service"
        start_and_stop(folder, unit, lambda: start_and_stop(folder, proxy, page_is_served))
        addresses(folder)
        names = capabilities(unit)
        for name in names:
            fails_without(folder, unit, [other for other in names if other != name])
    print("PASS")


main()
