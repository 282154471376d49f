#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The DPI appliance on real traffic: blocked sites, who uses what, a policy that changes under load, limits, quotas.

  client 10.1.0.2, .3, .4 -- out0 [gateway] in0 -- app 10.1.0.11      gen0 -- dpi1 10.9.0.21
"""
import collections
import contextlib
import http.server
import itertools
import json
import socket
import ssl
import struct
import subprocess
import threading
import time

import harness
from harness import becomes, command, expect, wait_for

APP = "10.1.0.11"
UDP_HEADERS = 28  # and IPv4's
CURL_DROPPED = 28  # timed out
DROPPED_S = 3  # for what must not come
CURL_RESET = (35, 52, 56)  # in the handshake, before an answer, while receiving


def ctl(lab, *words):
    return json.loads(command(harness.BIN / "sluice-dpi", "ctl", "--socket", lab.run_folder / "dpi1.sock", "--json",
                              *words))


def set_policy(lab, text):
    (lab.folder / "dpi-policy.yaml").write_text(text)
    ctl(lab, "reload")


def curl(url, *options, patience):
    """(exit status, what came)."""
    done = subprocess.run(["curl", "-sk", "-m", str(patience), "--noproxy", "*", *options, url], capture_output=True,
                          text=True, timeout=120, check=False)
    return done.returncode, done.stdout


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"over TLS")

    def log_message(self, *_):
        pass


class TlsServer(http.server.ThreadingHTTPServer):
    daemon_threads = True  # a blocked client stays in its handshake
    block_on_close = False

    def handle_error(self, *_):
        pass


def tls_server(key, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = TlsServer((APP, 443), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def ready(lab):
    lab.wait_until_healthy("dpi")
    with lab.inside("client"):
        wait_for("the application answers", lambda: harness.connects(APP, 80))
    key, certificate = lab.folder / "key.pem", lab.folder / "certificate.pem"
    command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=any.example", "-keyout", key, "-out", certificate)
    with lab.inside("app"):
        server = tls_server(key, certificate)
    lab.resources.callback(server.server_close)
    lab.resources.callback(server.shutdown)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with lab.inside("client"):
        wait_for("TLS is served", lambda: harness.connects(APP, 443))


def visit(site, scheme="https", patience=60):
    port = 443 if scheme == "https" else 80
    return curl(f"{scheme}://{site}/", "--resolve", f"{site}:{port}:{APP}", patience=patience)


def events(lab, kind):
    return [e for e in harness.events_of(lab.run_folder / "dpi1-eve.json") if e["event_type"] == kind]


def sites_are_blocked_by_name(lab):
    """A dropped one is silence, a rejected one a reset at once; all others are answered."""
    with lab.inside("client"):
        for scheme in ("https", "http"):
            expect(f"{scheme} YouTube", visit("www.youtube.com", scheme, DROPPED_S)[0], CURL_DROPPED)
            status, _ = visit("www.netflix.com", scheme)
            expect(f"{scheme} Netflix is reset: {status}", status in CURL_RESET, True)
            expect(f"{scheme} to another site", visit("www.example.org", scheme)[0], 0)
    becomes("what was blocked", lambda: [(e["ndpi"]["proto"], e["verdict"]["action"]) for e in events(lab, "drop")],
            [("TLS.YouTube", "drop"), ("TLS.NetFlix", "reject"), ("HTTP.YouTube", "drop"), ("HTTP.NetFlix", "reject")])


def top_and_metrics_agree(lab):
    before = {a["application"]: a["flows"] for a in ctl(lab, "top", "limit=100")["applications"]}
    with lab.inside("client"):
        for _ in range(5):
            expect("a page", visit("www.example.org", "http")[0], 0)

    def counted():
        now = {a["application"]: a["flows"] for a in ctl(lab, "top", "limit=100")["applications"]}
        return now.get("HTTP", 0) - before.get("HTTP", 0) == 5
    wait_for("five more flows of HTTP", counted)
    becomes("flows of the client that were blocked", lambda: [
        h["flows_blocked"] for h in ctl(lab, "top")["hosts"] if h["host"] == "10.1.0.2"], [4])

    page = lab.run("dpi1", "curl", "-s", "http://10.9.0.21:8080/metrics")
    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    top = {a["application"]: a for a in ctl(lab, "top", "limit=100")["applications"]}
    expect("metrics of HTTP", int(values['sluice_dpi_flows_total{application="HTTP"}']), top["HTTP"]["flows"])
    expect("metrics of a blocked site", values['sluice_dpi_flows_blocked_total{application="TLS.YouTube"}'], "1")
    expect("addresses in the metrics", [line for line in values if "10.1." in line], [])
    expect("refused is", [line for line in values if line.startswith("sluice_appliance_refused_total")], [])


class Load:
    """Datagrams to the echo server, a few at a time, each of which must come back."""

    def __init__(self, lab, flows=8):
        self.sent = self.returned = 0
        self.lost = []
        self.done = threading.Event()
        with lab.inside("client"):
            self.sockets = [harness.udp_socket("10.1.0.2", 42000 + i, timeout=60) for i in range(flows)]
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        for s in self.sockets:
            s.close()

    def run(self):
        while not self.done.is_set():
            for s in self.sockets:
                s.sendto(b"%d" % self.sent, (APP, 7000))
                self.sent += 1
            for s in self.sockets:
                try:
                    s.recv(100)
                    self.returned += 1
                except OSError:
                    self.lost.append(s.getsockname())
                    return


def policies_change_under_load_and_no_packet_is_lost(lab):
    policies = ["fallback: allow\n", "applications: [{name: YouTube, action: drop}]\n",
                "categories: [{name: Video, action: reject}]\nfallback: allow\n"]
    reloads = 30
    before = ctl(lab, "stats")
    with Load(lab) as load:
        for i in range(reloads):
            sent = load.sent
            set_policy(lab, policies[i % len(policies)])
            wait_for("the load goes on", lambda: load.lost or load.sent > sent + 50)  # pylint: disable=W0640
    expect("datagrams without an answer", load.lost, [])
    expect("answers", load.returned, load.sent)
    after = ctl(lab, "stats")
    expect("policies taken", after["dpi"]["policies"] - before["dpi"]["policies"], reloads)
    expect("packets lost before the appliance", after["receive_overflow"] - before["receive_overflow"], 0)
    wait_for(f"each of {load.sent} datagrams both ways",
             lambda: ctl(lab, "stats")["returned"] - before["returned"] >= 2 * load.sent)
    return f"{load.sent} datagrams over {reloads} policies"


def a_policy_with_an_error_changes_nothing(lab):
    set_policy(lab, "applications: [{name: YouTube, action: drop}]\n")
    with contextlib.suppress(harness.Failure):
        set_policy(lab, "applications: [{name: YouTube, action: explode}]\n")
        raise AssertionError("a policy with an error was taken")
    with lab.inside("client"):
        expect("YouTube", visit("www.youtube.com", "http", DROPPED_S)[0], CURL_DROPPED)
        expect("another site", visit("www.example.org", "http")[0], 0)


class Sink:
    """Counts the datagrams that arrive at the application, with the kernel's time of each."""
    SO_TIMESTAMPNS = 35

    def __init__(self, lab, port):
        with lab.inside("app"):
            self.socket = harness.udp_socket(APP, port, timeout=0.2)
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.arrived = []  # (seconds, bytes of the IP packet)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.socket.close()

    def run(self):
        while not self.done.is_set():
            with contextlib.suppress(TimeoutError):
                data, control, _, _ = self.socket.recvmsg(4096, 128)
                seconds, nanoseconds = struct.unpack("qq", control[0][2])
                self.arrived.append((seconds + nanoseconds / 1e9, len(data) + UDP_HEADERS))


def a_rate_limit_holds(lab):
    """Many times the limit is sent; what arrives is the limit, by the kernel's own clock at the receiver. Never more in
    any time than fits; not always as much, for a machine may have something else to do."""
    rate, burst, seconds = 500_000, 100_000, 8
    set_policy(lab, f"""
rules:
  - {{name: slow, match: {{client: 10.1.0.3/32}}, action: {{limit: {{rate: {rate}, burst: {burst}, per: client}}}}}}
""")
    with lab.inside("client"):
        senders = [harness.udp_socket("10.1.0.3", 44000 + i) for i in range(4)]
    with Sink(lab, 9000) as sink:
        start = time.monotonic()
        while sum(size for _, size in sink.arrived) < rate * seconds:
            expect("it goes on", time.monotonic() < start + harness.PATIENCE_S, True)
            for s in senders:
                for _ in range(5):
                    s.sendto(bytes(1000), (APP, 9000))
            time.sleep(0.005)  # the load's rate
    for s in senders:
        s.close()
    sums = list(itertools.accumulate(size for _, size in sink.arrived))
    begin = sink.arrived[0][0]
    for (when, _), so_far in zip(sink.arrived, sums):
        expect(f"{so_far} bytes after {when - begin:.3f} s are no more than fit",
               so_far <= burst + rate * (when - begin + 0.5) * 1.05, True)  # some were on their way for longer
    seconds_of = collections.Counter(int(when - begin) for when, _ in sink.arrived)
    best = max(count for second, count in seconds_of.items() if second > 0) * sink.arrived[0][1]
    expect(f"{best} bytes in a good second are no less than 90 % of {rate}", best >= 0.9 * rate, True)
    becomes("its drop events", lambda: [
        e["verdict"]["rule"] for e in events(lab, "drop") if e["drop"]["reason"] == "limit"],
            ["rule 'slow'"] * len(senders))
    return f"{sums[-1] / (sink.arrived[-1][0] - begin):.0f} bytes/s of {rate}"


def a_quota_runs_out(lab):
    """To the packet, for all flows of the client, and a new policy with the same rule does not forget it."""
    quota, size, count = 200_000, 1000, 400
    fits = quota // (size + UDP_HEADERS)
    reset = time.strftime("%H:%M", time.gmtime(time.time() + 12 * 3600))
    policy = f"""
rules:
  - name: daily
    match: {{client: 10.1.0.4/32}}
    action: {{quota: {{bytes: {quota}, reset: "{reset}", then: drop}}}}
"""
    set_policy(lab, policy)
    before = ctl(lab, "stats")

    def send(port, number):
        with lab.inside("client"):
            s = harness.udp_socket("10.1.0.4", port)
        seen = ctl(lab, "stats")["received"]
        for i in range(number):
            s.sendto(bytes(size), (APP, 9001))
            if i % 20 == 19:  # no faster than they are taken
                wait_for("the appliance has seen them", lambda: ctl(lab, "stats")["received"] - seen > i)  # pylint: disable=W0640
        s.close()
    with Sink(lab, 9001) as sink:
        send(45000, count)
        wait_for(f"{fits} datagrams", lambda: len(sink.arrived) >= fits)
        set_policy(lab, policy + "fallback: allow\n")
        send(45001, 20)
    becomes("packets over the quota", lambda: ctl(lab, "stats")["dpi"]["packets_over_quota"] -
            before["dpi"]["packets_over_quota"], count - fits + 20)
    expect("datagrams that arrived", len(sink.arrived), fits)
    with lab.inside("client"):
        expect("another client", visit("www.example.org", "http")[0], 0)
    return f"{fits} of {count + 20} datagrams"


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/dpi.yaml"), ready, sites_are_blocked_by_name, top_and_metrics_agree,
                policies_change_under_load_and_no_packet_is_lost, a_policy_with_an_error_changes_nothing,
                a_rate_limit_holds, a_quota_runs_out,
                tools=("curl", "openssl", "nginx"))
