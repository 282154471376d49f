#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The DPI appliance on real traffic: blocked sites, who uses what, a policy that changes under load.

  client 10.1.0.2 -- out0 [gateway] in0 -- app 10.1.0.11      gen0 -- dpi1 10.9.0.21
"""
import contextlib
import http.server
import json
import ssl
import subprocess
import threading

import harness
from harness import command, expect, wait_for

APP = "10.1.0.11"
CURL_DROPPED = 28  # timed out
CURL_RESET = (35, 52, 56)  # in the handshake, before an answer, while receiving


def ctl(lab, *words):
    return json.loads(command(harness.BIN / "sluice-dpi", "ctl", "--socket", lab.run_folder / "dpi1.sock", "--json",
                              *words))


def set_policy(lab, text):
    (lab.folder / "dpi-policy.yaml").write_text(text)
    ctl(lab, "reload")


def curl(url, *options):
    """(exit status, what came)."""
    done = subprocess.run(["curl", "-sk", "-m", "5", "--noproxy", "*", *options, url], capture_output=True, text=True,
                          timeout=30, check=False)
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


def visit(site, scheme="https"):
    port = 443 if scheme == "https" else 80
    return curl(f"{scheme}://{site}/", "--resolve", f"{site}:{port}:{APP}")


def events(lab, kind):
    lines = (lab.run_folder / "dpi1-eve.json").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["event_type"] == kind]


def sites_are_blocked_by_name(lab):
    """A dropped one is silence, a rejected one a reset at once; all others are answered."""
    with lab.inside("client"):
        for scheme in ("https", "http"):
            expect(f"{scheme} YouTube", visit("www.youtube.com", scheme)[0], CURL_DROPPED)
            status, _ = visit("www.netflix.com", scheme)
            expect(f"{scheme} Netflix is reset: {status}", status in CURL_RESET, True)
            expect(f"{scheme} to another site", visit("www.example.org", scheme)[0], 0)
    blocked = wait_for("four drop events", lambda: len(events(lab, "drop")) == 4 and events(lab, "drop"))
    expect("what was blocked", [(e["ndpi"]["proto"], e["verdict"]["action"]) for e in blocked],
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
    client = next(h for h in ctl(lab, "top")["hosts"] if h["host"] == "10.1.0.2")
    expect("flows of the client that were blocked", client["flows_blocked"], 4)

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
            self.sockets = [harness.udp_socket("10.1.0.2", 42000 + i, timeout=10) for i in range(flows)]
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
    through = after["returned"] - before["returned"]
    expect(f"each datagram both ways: {through} packets", through >= 2 * load.sent, True)
    return f"{load.sent} datagrams over {reloads} policies"


def a_policy_with_an_error_changes_nothing(lab):
    set_policy(lab, "applications: [{name: YouTube, action: drop}]\n")
    with contextlib.suppress(harness.Failure):
        set_policy(lab, "applications: [{name: YouTube, action: explode}]\n")
        raise AssertionError("a policy with an error was taken")
    with lab.inside("client"):
        expect("YouTube", visit("www.youtube.com", "http")[0], CURL_DROPPED)
        expect("another site", visit("www.example.org", "http")[0], 0)


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/dpi.yaml"), ready, sites_are_blocked_by_name, top_and_metrics_agree,
                policies_change_under_load_and_no_packet_is_lost, a_policy_with_an_error_changes_nothing,
                tools=("curl", "openssl", "nginx"))
