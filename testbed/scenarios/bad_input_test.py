#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever the API server is sent, it answers with an error by name in bounded memory, and the packets that cross the
gateway meanwhile never notice. The lab is drawn in bad_input.yaml; the store is on a small disk of its own."""
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import harness
from harness import expect, wait_for

try:
    import boto3
    import botocore.auth
    import botocore.awsrequest
    import botocore.config
    import botocore.credentials
    import botocore.exceptions
except ImportError:
    print("SKIP: python3-boto3 is not installed")
    sys.exit(77)

PLACE = ("127.0.0.1", 9420)
URL = "http://%s:%s" % PLACE
KEY, SECRET, REGION = "ADMIN", "example-secret-do-not-use", "xx-lab-1"
VERSION = "&Version=2015-12-01"
STORE = f"/run/sluice/badin{os.getpid()}"
CONNECTIONS = 10_000
CONNECTIONS_MAX = 512   # of the server
MEGABYTE = 1 << 20
GROWTH_MAX = 400 * MEGABYTE  # of the daemon; with AddressSanitizer, which keeps 256 MB of what was freed


def client(attempts=10):
    """Ten: of changes that are signed alike within a second, all but the first are to be tried again."""
    return boto3.client("elbv2", region_name=REGION, endpoint_url=URL, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                        config=botocore.config.Config(read_timeout=60, retries={"total_max_attempts": attempts}))


def signed(body, secret=SECRET):
    """A whole request, as boto3 would send it."""
    request = botocore.awsrequest.AWSRequest(
        "POST", URL + "/", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    keys = botocore.credentials.Credentials(KEY, secret)
    botocore.auth.SigV4Auth(keys, "elasticloadbalancing", REGION).add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = ["POST / HTTP/1.1", f"Host: {PLACE[0]}:{PLACE[1]}", *lines, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join(head + ["", ""]).encode() + body


def answer_of(connection):
    """Status and error code: of XML, or the message of JSON."""
    text = b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
    code = re.search(r"<Code>(.*?)</Code>|\"error\":\"(.*?)\"", text)
    return int(text.split()[1]) if text else None, (code[1] or code[2]) if code else None


def send(data):
    with socket.create_connection(PLACE, 60) as s:
        s.sendall(data)
        return answer_of(s)


def memory(lab):
    """What the daemon has of it now."""
    with open(f"/proc/{lab.pid('gateway')}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024


def refused(call, **fields):
    try:
        call(**fields)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return None, "it succeeded"


class Load:
    """Datagrams and their echoes through the gateway, one after the other, for as long as it runs."""

    def __init__(self, lab):
        with lab.inside("server"):
            self.server = lab.resources.enter_context(harness.Server("server", 7000))
        with lab.inside("client"):
            self.socket = harness.udp_socket("10.2.0.2", 42000)
            wait_for("a way through", self._echo_once)
        self.sent, self.lost, self.running = 0, 0, True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _echo_once(self):
        with contextlib.suppress(OSError):
            self.socket.settimeout(0.5)
            self.socket.sendto(b"first", ("10.2.0.11", 7000))
            return self.socket.recv(100)
        return None

    def _run(self):
        self.socket.settimeout(30)
        while self.running:
            self.sent += 1
            self.socket.sendto(b"%d" % self.sent, ("10.2.0.11", 7000))
            try:
                while not self.socket.recv(100).endswith(b" %d" % self.sent):
                    pass
            except socket.timeout:
                self.lost += 1

    def stop(self):
        self.running = False
        self.thread.join()
        self.socket.close()


def ready(lab):
    lab.resources.callback(shutil.rmtree, f"/sys/fs/bpf/sluice/{lab.name}", ignore_errors=True)
    lab.wait_until_healthy("ids")
    lab.load = Load(lab)
    with lab.inside("gateway"):
        expect("an honest call", client().describe_load_balancers()["LoadBalancers"][0]["LoadBalancerName"], "inspect")


def trickle(connection):
    """A request that never comes to its end, a byte at a time."""
    with contextlib.suppress(OSError):
        for byte in b"POST / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)  # this is what is tested


def forms(lab):
    """Bodies that are no forms, methods and paths that are not there."""
    cases = [
        (b"Action=%zz", (400, "MalformedQueryString")),
        (b"a" * 100_000, (400, None)),
        (b"\0\xff\xfe" * 100, (400, None)),
        (b"&" * 100_000, (400, None)),
        (b"Action=Nothing" + VERSION.encode(), (400, "InvalidAction")),
        (("Action=DescribeLoadBalancers&Names.member.99999999999=x" + VERSION).encode(), (400, None)),
        (("Action=DescribeLoadBalancers" + "&a.b" * 5000 + VERSION).encode(), (400, None)),
        (("Action=DescribeLoadBalancers&" + "a." * 10_000 + "=x" + VERSION).encode(), (400, None)),
        (("Action=DescribeLoadBalancers&Names=<&>" + VERSION).encode(), (400, None)),
    ]
    with lab.inside("gateway"):
        for body, (status, code) in cases:
            got = send(signed(body))
            expect(f"the answer to {body[:40]}", (got[0], got[1] if code else got[1] is not None), (status, code or True))
        expect("GET of nothing", send(b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
               (404, "there is no such page"))
        expect("no key", send(b"POST /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
               (403, "MissingAuthenticationToken"))
        expect("no HTTP", send(b"\x16\x03\x01\x02\0\r\n\r\n")[0], 400)
        expect("a wrong signature", send(signed(b"Action=DescribeLoadBalancers" + VERSION.encode(), "no" * 12)),
               (403, "SignatureDoesNotMatch"))
    return f"{len(cases)} forms"


def big_bodies(lab):
    """100 MB at once, with a length and in chunks."""
    block = b"a" * MEGABYTE
    before = memory(lab)
    with lab.inside("gateway"):
        for framing in (f"Content-Length: {100 * MEGABYTE}", "Transfer-Encoding: chunked"):
            with socket.create_connection(PLACE, 60) as s:
                s.sendall(f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode())
                for _ in range(100):
                    s.sendall(block if "Length" in framing else b"%x\r\n%s\r\n" % (MEGABYTE, block))
                s.shutdown(socket.SHUT_WR)
                expect(framing, answer_of(s), (413, "RequestEntityTooLarge"))
        with contextlib.ExitStack() as stack:  # many that are as long as may be, and wait
            parts = [stack.enter_context(socket.create_connection(PLACE, 60)) for _ in range(200)]
            for s in parts:
                s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MEGABYTE)
            for s in parts:
                with contextlib.suppress(OSError):  # some are told while they send
                    s.sendall(block[:-1])
            for s in parts:
                s.setblocking(False)

            def told():
                for s in parts:
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        if b" 503 " in s.recv(100):
                            return True
                return False
            wait_for("some are told that there are too many", told)
    growth = memory(lab) - before
    expect("memory is bounded", growth < GROWTH_MAX or growth, True)
    return f"{growth // MEGABYTE} MB more"


def silent_clients(lab):
    """10,000 connections that say nothing, or half of something; an honest client works all the while."""
    needed = CONNECTIONS + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < needed:
        return f"skipped: only {hard} open files"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    before = memory(lab)
    with lab.inside("gateway"), contextlib.ExitStack() as stack:
        elb = client()
        for i in range(CONNECTIONS):
            s = stack.enter_context(socket.create_connection(PLACE, 60))
            if i % 2:
                with contextlib.suppress(OSError):
                    s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
            if i % 1000 == 999:
                expect("an honest call", len(elb.describe_load_balancers()["LoadBalancers"]), 1)
        arn = elb.create_target_group(Name="amid", Protocol="UDP", Port=53, TargetType="ip")
        elb.delete_target_group(TargetGroupArn=arn["TargetGroups"][0]["TargetGroupArn"])
        _, page = harness.http(*PLACE, "/metrics")
        count = int(re.search(rb"^sluice_api_connections (\d+)", page, re.M)[1])
        expect("connections of the server", count <= CONNECTIONS_MAX or count, True)
        growth = memory(lab) - before
    expect("memory is bounded", growth < GROWTH_MAX or growth, True)
    return f"{CONNECTIONS} clients, {count} connections, {growth // MEGABYTE} MB more"


def slow_begins(lab):
    """Not before the many, among whom it would be the one that has waited longest."""
    with lab.inside("gateway"):
        lab.slow = socket.create_connection(PLACE, 60)
    lab.slow_thread = threading.Thread(target=trickle, args=(lab.slow,), daemon=True)
    lab.slow_thread.start()


def replays(lab):
    """A change that is sent again is refused; a client that means the same twice is not."""
    with lab.inside("gateway"):
        elb = client()
        arn = elb.describe_target_groups(Names=["ids"])["TargetGroups"][0]["TargetGroupArn"]
        change = signed(f"Action=AddTags&ResourceArns.member.1={arn.replace(':', '%3A').replace('/', '%2F')}"
                        f"&Tags.member.1.Key=a&Tags.member.1.Value=b{VERSION}".encode())
        expect("the first", send(change), (200, None))
        elb.remove_tags(ResourceArns=[arn], TagKeys=["a"])
        for _ in range(3):
            expect("the same again", send(change), (429, "PriorRequestNotComplete"))
        expect("tags", elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"], [])
        for _ in range(5):  # signed alike within a second: the SDK tries again by itself
            elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "honest", "Value": "x"}])
        elb.remove_tags(ResourceArns=[arn], TagKeys=["honest"])


def yaml_bombs(lab):
    """Aliases that would grow to gigabytes, brackets without end, a file that is too long."""
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20))
    before = memory(lab)
    for text, wanted in ((laughs, "anchors"), ("[" * 500_000, ""), ("a: {" * 200_000, ""), ("x: " + "y" * 2_000_000, "")):
        try:
            lab.ask("apply", text=text)
            raise AssertionError("it was applied")
        except harness.Failure as failure:
            expect("why", wanted in str(failure), True)
    growth = memory(lab) - before
    expect("memory is bounded", growth < GROWTH_MAX or growth, True)


def disk(lab):
    """No room on the disk, no room in the file: the change is refused by name, and later ones work again."""
    with lab.inside("gateway"):
        elb = client(attempts=1)
        tags = [{"Key": str(i), "Value": "x" * 250} for i in range(40)]
        arn = elb.describe_target_groups(Names=["ids"])["TargetGroups"][0]["TargetGroupArn"]

        def write(value):
            tags[0]["Value"] = value
            return refused(elb.add_tags, ResourceArns=[arn], Tags=tags)

        def fails_until_helped(what, word):
            for i in range(100):  # until the write-ahead log has used the room it has
                code, message = write(f"{what}{i}")
                if code:
                    break
            expect(what, (code, word in message), ("InternalFailure", True))
            expect("reading goes on", len(elb.describe_load_balancers()["LoadBalancers"]), 1)

        with open(f"{STORE}/filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        fails_until_helped("full", "full")
        os.unlink(f"{STORE}/filler")
        expect("with room again", write("after")[0], None)
        pid = lab.pid("gateway")
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        fails_until_helped("limit", "cannot")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        expect("without a limit again", write("last")[0], None)
        elb.remove_tags(ResourceArns=[arn], TagKeys=[t["Key"] for t in tags])


def slow(lab):
    """The client that began above was told that it is too slow."""
    lab.slow_thread.join()
    expect("its answer", answer_of(lab.slow), (408, "RequestTimeout"))
    lab.slow.close()


def stores(lab):
    """A daemon whose store is read-only, or garbage, does not start and says why; packets go on without it."""
    os.kill(lab.pid("gateway"), signal.SIGKILL)

    def says(word):
        with lab.inside("gateway"):
            done = subprocess.run([harness.BIN / "sluiced", "--config", lab.config], capture_output=True, text=True,
                                  timeout=120, check=False)
        expect(f"{word}: {done.stderr}", (done.returncode, word in done.stderr), (1, True))
    wait_for("no daemon", lambda: subprocess.run(
        ["mount", "-o", "remount,ro", STORE], capture_output=True, check=False).returncode == 0)
    says("read-only")
    harness.command("mount", "-o", "remount,rw", STORE)
    for file in pathlib.Path(STORE).iterdir():  # the database and its log
        file.write_bytes(os.urandom(file.stat().st_size))
    says("corrupt")
    before = lab.load.sent
    wait_for("packets without a daemon", lambda: lab.load.sent > before + 100)


def packets(lab):
    """None was lost."""
    lab.load.stop()
    expect("lost", lab.load.lost, 0)
    return f"{lab.load.sent} datagrams there and back"


def main():
    if os.environ.get("BAD_INPUT_MOUNTS") != str(os.getpid()):  # the disk is of this process alone
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
            print("SKIP: needs root and a mount namespace")
            sys.exit(77)
        os.execvpe("unshare", ["unshare", "-m", sys.executable, __file__],
                   {**os.environ, "BAD_INPUT_MOUNTS": str(os.getpid())})
    os.makedirs(STORE)
    try:
        harness.command("mount", "-t", "tmpfs", "-o", "size=4m", "sluice-test", STORE)
        harness.run(harness.Lab("testbed/scenarios/bad_input.yaml", [("STORE", STORE)]), ready, forms, big_bodies,
                    silent_clients, slow_begins, replays, yaml_bombs, disk, slow, stores, packets,
                    tools=("mount", "unshare"))
    finally:
        subprocess.run(["umount", "-l", STORE], check=False)
        os.rmdir(STORE)


if __name__ == "__main__":
    main()
