#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The clients people have make, watch and take away load balancers: the AWS CLI with the commands of
docs/features/elbv2.md, boto3, Ansible. The lab is drawn in api.yaml."""
import http.client
import http.server
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading

import harness
from harness import becomes, expect, wait_for

try:
    import boto3
    import botocore.config
    import botocore.exceptions
except ImportError:
    print("SKIP: python3-boto3 is not installed")
    sys.exit(77)

URL = "http://127.0.0.1:9400"
REGION = "xx-lab-1"
SECRETS = {"ADMIN": "example-secret-do-not-use", "WATCHER": "another-example-secret"}
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/aws: &aws {endpoint_url: "%s", region: %s, access_key: ADMIN, secret_key: "%s"}
  tasks:
    - community.aws.elb_target_group:
        <<: *aws
        name: play-group
        protocol: tcp
        port: 7000
        target_type: ip
        vpc_id: vpc-lab
        health_check_protocol: tcp
        health_check_interval: 10
        targets: [{Id: 10.1.0.22, Port: 7000}]
        modify_targets: true
        tags: {team: net}
        state: present
    - community.aws.elb_network_lb:
        <<: *aws
        name: play
        scheme: internal
        subnets: [subnet-a]
        listeners: [{Protocol: TCP, Port: 81, DefaultActions: [{Type: forward, TargetGroupName: play-group}]}]
        tags: {team: net}
        state: present
    - community.aws.elb_target_group:
        <<: *aws
        name: play-web
        protocol: http
        port: 8080
        target_type: ip
        vpc_id: vpc-lab
        health_check_protocol: http
        health_check_path: /
        health_check_interval: 5
        successful_response_codes: "200"
        targets: [{Id: 10.1.0.22, Port: 8080}]
        modify_targets: true
        state: present
    - amazon.aws.elb_application_lb:
        <<: *aws
        name: play-alb
        scheme: internal
        subnets: [subnet-alb, subnet-far]
        security_groups: [sg-lab]
        listeners:
          - Protocol: HTTP
            Port: 80
            DefaultActions: [{Type: forward, TargetGroupName: play-web}]
            Rules:
              - Priority: "7"
                Conditions: [{Field: path-pattern, Values: ["/play/*"]}]
                Actions: [{Type: forward, TargetGroupName: play-web}]
        state: present
""" % (URL, REGION, SECRETS["ADMIN"])


def client(service, key="ADMIN", secret=None):
    return boto3.client(
        service, region_name=REGION, endpoint_url=URL, aws_access_key_id=key,
        aws_secret_access_key=secret or SECRETS[key],
        config=botocore.config.Config(read_timeout=60))  # retries as people have them: of 429 too


def refused(call, **fields):
    """The code and the message of the error that the call ends in."""
    try:
        call(**fields)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return None, "it succeeded"


def waiter(elb, name, **fields):
    elb.get_waiter(name).wait(WaiterConfig={"Delay": 1, "MaxAttempts": 90}, **fields)


def the_page(lab):
    """The commands of the page, as they stand there, make a gateway that inspects."""
    page = (harness.SOURCE / "docs/features/elbv2.md").read_text()
    block = re.search(r"```console\n(.*?)```", page, re.S)[1]
    script = "set -eu\n" + re.sub(r"^\$ ", "", block, flags=re.M)
    with lab.inside("one"):
        lab.resources.enter_context(harness.Server("one", 7000))
    with lab.inside("two"):
        lab.resources.enter_context(harness.Server("two", 7000))
    with lab.inside("client"):
        expect("a way before there is an endpoint", harness.connects("10.1.0.21", 7000, 0.3), False)
    with lab.inside("gateway"):
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=400, check=False,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(lab.folder)})
    expect("the script ends well", (done.returncode, done.stderr), (0, ""))
    expect("the target", "healthy" in done.stdout, True)
    with lab.inside("client"):
        wait_for("a way through the appliance", lambda: harness.connects("10.1.0.21", 7000))
    expect("packets to the appliance", lab.targets("firewalls")["10.9.0.11"]["packets_sent"] > 0, True)
    return f"{len(script.splitlines())} lines"


def gateway(lab):
    """A second appliance joins and leaves over boto3, waiters included."""
    with lab.inside("gateway"):
        elb = client("elbv2")
        waiter(elb, "load_balancer_available", Names=["inspect"])
        group = elb.describe_target_groups(Names=["firewalls"])["TargetGroups"][0]["TargetGroupArn"]
        elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[
            {"Key": "deregistration_delay.timeout_seconds", "Value": "1"}])
        targets = [{"Id": "10.9.0.12"}]
        elb.register_targets(TargetGroupArn=group, Targets=targets)
        waiter(elb, "target_in_service", TargetGroupArn=group)
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        expect("targets", sorted(t["Target"]["Id"] for t in health), ["10.9.0.11", "10.9.0.12"])
        wait_for("both get rows", lambda: all(t["share"] > 0.4 for t in lab.targets("firewalls").values()))
        elb.deregister_targets(TargetGroupArn=group, Targets=targets)
        waiter(elb, "target_deregistered", TargetGroupArn=group, Targets=targets)
        becomes("rows", lambda: {i: t["share"] for i, t in lab.targets("firewalls").items()}, {"10.9.0.11": 1.0})


def metrics_with_traffic(balancer, group):
    """The metrics, once they tell of traffic of the load balancer and of its target group."""
    labels = f'{{load_balancer="{balancer}",target_group="{group}"'
    lines = [f"sluice_target_group_{name}{labels}{more}}} "
             for name, more in (("new_flows_total", ""), ("bytes_total", ',direction="sent"'),
                                ("packets_total", ',direction="returned"'), ("active_flows", ""))]
    lines.append(f'sluice_load_balancer_active_flows{{load_balancer="{balancer}"}} ')

    def told():
        page = harness.http("127.0.0.1", 9400, "/metrics")[1].decode()
        counts = {line: page.partition(line)[2].partition("\n")[0] for line in lines}
        return all(count not in ("", "0") for count in counts.values()) and page
    return wait_for(f"{lines} above 0 in the metrics", told)


def network(lab):
    """A network load balancer, from nothing to a connection through it and back to nothing."""
    with lab.inside("gateway"):
        elb = client("elbv2")
        made = elb.create_load_balancer(Name="services", Type="network", Scheme="internal", Subnets=["subnet-a"],
                                        Tags=[{"Key": "team", "Value": "a&b"}])["LoadBalancers"][0]
        balancer, address = made["LoadBalancerArn"], made["DNSName"]
        group = elb.create_target_group(
            Name="echo", Protocol="TCP", Port=7000, TargetType="instance", VpcId="vpc-lab",
            HealthCheckIntervalSeconds=5)["TargetGroups"][0]["TargetGroupArn"]
        listener = elb.create_listener(
            LoadBalancerArn=balancer, Protocol="TCP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])["Listeners"][0]["ListenerArn"]
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "i-one"}])
        waiter(elb, "target_in_service", TargetGroupArn=group, Targets=[{"Id": "i-one"}])
        expect("tags", elb.describe_tags(ResourceArns=[balancer])["TagDescriptions"][0]["Tags"],
               [{"Key": "team", "Value": "a&b"}])
    with lab.inside("client"):
        wait_for("a connection", lambda: harness.connects(address, 80))
        conversation = socket.create_connection((address, 80), 30)
    # While it is open there is a flow to be seen.
    with conversation, lab.inside("gateway"):
        expect("who answers", conversation.recv(100), b"one 10.1.0.2 ")
        page = metrics_with_traffic(balancer.partition("loadbalancer/")[2], "echo")
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=page.encode(), check=True)
    with lab.inside("gateway"):
        expect("a group in use", refused(elb.delete_target_group, TargetGroupArn=group)[0], "ResourceInUse")
        elb.delete_listener(ListenerArn=listener)
        elb.delete_target_group(TargetGroupArn=group)
        elb.delete_load_balancer(LoadBalancerArn=balancer)
        waiter(elb, "load_balancers_deleted", LoadBalancerArns=[balancer])
    return address


class Site(http.server.ThreadingHTTPServer):
    """Answers its name to every request. Made inside a namespace, it stays there."""

    def __init__(self, name, port):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_):
                pass
        super().__init__(("", port), Handler)
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def the_alb_page(lab):
    """The commands of the page make an application load balancer out of nothing."""
    page = (harness.SOURCE / "docs/features/alb.md").read_text()
    block = re.search(r"```console\n(.*?)```", page, re.S)[1]
    script = "set -eu\n" + re.sub(r"^\$ ", "", block, flags=re.M)
    for name in ("one", "two"):
        with lab.inside(name):
            lab.resources.enter_context(Site(name, 8080))
    with lab.inside("gateway"):
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=400, check=False,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(lab.folder)})
        expect("the script ends well", (done.returncode, done.stderr), (0, ""))
        address = client("elbv2").describe_load_balancers(Names=["shop"])["LoadBalancers"][0]["DNSName"]
    expect("the target", "healthy" in done.stdout, True)
    with lab.inside("client"):
        becomes("the page", lambda: harness.http(address), (200, b"one"))
        becomes("the rule", lambda: harness.http(address, path="/closed/x"), (503, b"closed today"))
    return address


def application(lab):
    """Rules change under a connection that stays; what is made is taken away again."""
    with lab.inside("gateway"):
        elb = client("elbv2")
        made = elb.describe_load_balancers(Names=["shop"])["LoadBalancers"][0]
        balancer, address = made["LoadBalancerArn"], made["DNSName"]
        expect("its state", made["State"]["Code"], "active")
        listener = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
        web = elb.describe_target_groups(Names=["web"])["TargetGroups"][0]["TargetGroupArn"]
        rule = elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
    with lab.inside("client"):
        kept = http.client.HTTPConnection(address, 80, timeout=60)
        kept.connect()
        local = kept.sock.getsockname()

    def ask(path, headers=None):
        with lab.inside("client"):
            kept.request("GET", path, headers=headers or {})
            answer = kept.getresponse()
            body = answer.read().decode()
            return answer.status, answer.getheader("Location") or body

    def answers(path, wanted, headers=None):
        becomes(f"the answer to {path}", lambda: ask(path, headers), wanted)
    answers("/", (200, "one"))
    with lab.inside("gateway"):
        elb.modify_rule(RuleArn=rule, Actions=[{"Type": "redirect", "RedirectConfig": {
            "Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}])
    answers("/closed/x", (301, f"https://{address}:443/closed/x"))
    with lab.inside("gateway"):
        beta = elb.create_target_group(Name="beta", Protocol="HTTP", Port=8080, TargetType="ip", VpcId="vpc-lab",
                                       HealthCheckIntervalSeconds=5)["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=beta, Targets=[{"Id": "10.1.0.22"}])
        second = elb.create_rule(
            ListenerArn=listener, Priority=20, Conditions=[
                {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["yes"]}},
                {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.1.0.0/24"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": beta}])["Rules"][0]["RuleArn"]
        expect("a priority that is taken", refused(
            elb.create_rule, ListenerArn=listener, Priority=20, Conditions=[{"Field": "path-pattern", "Values": ["/"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": beta}])[0], "PriorityInUse")
        waiter(elb, "target_in_service", TargetGroupArn=beta)
    answers("/", (200, "two"), {"X-Beta": "yes"})
    answers("/", (200, "one"))
    with lab.inside("gateway"):
        elb.set_rule_priorities(RulePriorities=[{"RuleArn": second, "Priority": 1}])
    answers("/closed/x", (200, "two"), {"X-Beta": "yes"})
    with lab.inside("gateway"):
        elb.delete_rule(RuleArn=second)
        elb.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": web, "Weight": 1}, {"TargetGroupArn": beta, "Weight": 3}]}}])
    wait_for("both groups", lambda: {ask("/")[1] for _ in range(8)} == {"one", "two"})
    expect("weights", sorted(ask("/")[1] for _ in range(40)), ["one"] * 10 + ["two"] * 30)
    with lab.inside("client"):
        expect("the connection is the same", kept.sock.getsockname(), local)
    with lab.inside("gateway"):
        becomes("health of the targets", lambda: [
            t["TargetHealth"]["State"]
            for t in elb.describe_target_health(TargetGroupArn=beta)["TargetHealthDescriptions"]], ["healthy"])
        expect("a listener with TLS", refused(
            elb.create_listener, LoadBalancerArn=balancer, Protocol="HTTPS", Port=443,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": web}])[0], "UnsupportedProtocol")
    with lab.inside("alb"):
        wait_for("metrics", lambda: b'sluice_alb_healthy_hosts{load_balancer="shop",target_group="beta"} 1' in
                 harness.http("10.1.0.80", 9100, "/metrics")[1])
    return application_goes(lab, elb, balancer, address, [web, beta])


def application_goes(lab, elb, balancer, address, groups):
    with lab.inside("gateway"):
        elb.delete_load_balancer(LoadBalancerArn=balancer)
        waiter(elb, "load_balancers_deleted", LoadBalancerArns=[balancer])
        for group in groups:
            elb.delete_target_group(TargetGroupArn=group)
    with lab.inside("client"):
        wait_for("nobody listens any more", lambda: not harness.connects(address, 80, 0.3))


def errors(lab):
    """Typed errors, keys that may not, paging."""
    with lab.inside("gateway"):
        elb = client("elbv2")
        try:
            elb.describe_load_balancers(Names=["nobody"])
            raise harness.Failure("nobody was found")
        except elb.exceptions.LoadBalancerNotFoundException:
            pass
        watcher = client("elbv2", "WATCHER")
        expect("balancers that a watcher sees", len(watcher.describe_load_balancers()["LoadBalancers"]), 1)
        expect("what a watcher may not", refused(watcher.create_target_group, Name="x", Protocol="UDP", Port=1)[0],
               "AccessDenied")
        thief = client("elbv2", "ADMIN", "not-the-secret-at-all")
        expect("a wrong secret", refused(thief.describe_load_balancers)[0], "SignatureDoesNotMatch")
        expect("who asks", client("sts").get_caller_identity()["Arn"], "arn:aws:iam::000000000000:user/ADMIN")
        balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
        code, message = refused(elb.modify_load_balancer_attributes, LoadBalancerArn=balancer,
                                Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "60"}])
        expect("an attribute of other types", message,
               "Load balancer attribute key 'idle_timeout.timeout_seconds' is not recognized")
        for i in range(5):
            elb.create_target_group(Name=f"page{i}", Protocol="UDP", Port=53, TargetType="ip")
        pages = list(elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2}))
        expect("pages", [len(p["TargetGroups"]) for p in pages], [2, 2, 2])
        for i in range(5):
            arn = elb.describe_target_groups(Names=[f"page{i}"])["TargetGroups"][0]["TargetGroupArn"]
            elb.delete_target_group(TargetGroupArn=arn)
    return code


def ansible(lab):
    """A playbook's second run finds nothing to do."""
    if not pathlib.Path("/usr/bin/ansible-playbook").exists():
        return "skipped: ansible is not installed"
    book = lab.folder / "play.yml"
    book.write_text(PLAYBOOK)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(lab.folder), "LANG": "C.UTF-8"}
    changed = []
    for _ in range(2):
        with lab.inside("gateway"):
            done = subprocess.run(
                ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter=/usr/bin/python3",
                 str(book)], capture_output=True, text=True, timeout=400, check=False, env=environment)
        recap = re.search(r"ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0", done.stdout)
        expect("the playbook ends well", recap is not None or done.stdout + done.stderr, True)
        changed.append(int(recap[2]))
    expect("changes of the two runs", changed, [4, 0])
    with lab.inside("gateway"):
        elb = client("elbv2")
        address = elb.describe_load_balancers(Names=["play"])["LoadBalancers"][0]["DNSName"]
        web = elb.describe_load_balancers(Names=["play-alb"])["LoadBalancers"][0]["DNSName"]
    with lab.inside("client"):
        wait_for("the playbook's application load balancer", lambda: harness.http(web) == (200, b"two"))
        wait_for("the playbook's load balancer", lambda: harness.connects(address, 81))


def javascript(lab):
    """The AWS SDK for JavaScript: typed errors, waiters, paginators."""
    folder = harness.SOURCE / "testbed/clients/javascript"
    if not shutil.which("node") or not (folder / "node_modules/@aws-sdk").exists():
        return "skipped: the AWS SDK for JavaScript is not installed (./dev deps)"
    environment = {"PATH": os.environ["PATH"], "HOME": str(lab.folder), "AWS_ACCESS_KEY_ID": "ADMIN",
                   "AWS_SECRET_ACCESS_KEY": SECRETS["ADMIN"]}
    with lab.inside("gateway"):
        done = subprocess.run(["node", folder / "api.mjs", URL], capture_output=True, text=True, timeout=300,
                              check=False, env=environment)
    expect(f"the client ends well: {done.stderr}", done.returncode, 0)
    return done.stdout.strip()


if __name__ == "__main__":
    harness.run(harness.Lab("testbed/scenarios/api.yaml"), the_page, gateway, network, the_alb_page, application,
                errors, javascript, ansible,
                tools=("aws",))
