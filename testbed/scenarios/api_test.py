#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The clients people have make, watch and take away load balancers: the AWS CLI with the commands of
docs/features/elbv2.md, boto3, Ansible. The lab is drawn in api.yaml."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import harness
from harness import expect, wait_for

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
""" % (URL, REGION, SECRETS["ADMIN"])


def client(service, key="ADMIN", secret=None):
    return boto3.client(
        service, region_name=REGION, endpoint_url=URL, aws_access_key_id=key,
        aws_secret_access_key=secret or SECRETS[key],
        config=botocore.config.Config(read_timeout=30))  # retries as people have them: of 429 too


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
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=200, check=False,
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
        expect("rows", [t["share"] for t in lab.targets("firewalls").values()], [1.0])


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
        with socket.create_connection((address, 80), 5) as s:
            expect("who answers", s.recv(100), b"one 10.1.0.2 ")
    with lab.inside("gateway"):
        _, page = harness.http("127.0.0.1", 9400, "/metrics")
    page = page.decode()
    label = balancer.partition("loadbalancer/")[2]
    for name, more in (("new_flows_total", ""), ("bytes_total", ',direction="sent"'),
                       ("packets_total", ',direction="returned"'), ("active_flows", "")):
        line = f'sluice_target_group_{name}{{load_balancer="{label}",target_group="echo"{more}}} '
        expect(f"{line} in the metrics", line in page and not page.partition(line)[2].startswith("0\n"), True)
    expect("the load balancer's flows", f'sluice_load_balancer_active_flows{{load_balancer="{label}"}} 0\n' in page, False)
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=page.encode(), check=True)
    with lab.inside("gateway"):
        expect("a group in use", refused(elb.delete_target_group, TargetGroupArn=group)[0], "ResourceInUse")
        elb.delete_listener(ListenerArn=listener)
        elb.delete_target_group(TargetGroupArn=group)
        elb.delete_load_balancer(LoadBalancerArn=balancer)
        waiter(elb, "load_balancers_deleted", LoadBalancerArns=[balancer])
    return address


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
                 str(book)], capture_output=True, text=True, timeout=200, check=False, env=environment)
        recap = re.search(r"ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0", done.stdout)
        expect("the playbook ends well", recap is not None or done.stdout + done.stderr, True)
        changed.append(int(recap[2]))
    expect("changes of the two runs", changed, [2, 0])
    with lab.inside("gateway"):
        elb = client("elbv2")
        address = elb.describe_load_balancers(Names=["play"])["LoadBalancers"][0]["DNSName"]
    with lab.inside("client"):
        wait_for("the playbook's load balancer", lambda: harness.connects(address, 81), 60)


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
    harness.run(harness.Lab("testbed/scenarios/api.yaml"), the_page, gateway, network, errors, javascript, ansible,
                tools=("aws",))
