// SPDX-License-Identifier: Apache-2.0
// The AWS SDK for JavaScript makes, describes, waits for and takes away what a gateway has: api.mjs URL. Its keys come
// from the environment. The gateway has a load balancer "inspect" with a target group "firewalls" of a healthy target.
import assert from "node:assert/strict";
import {
  AddTagsCommand, CreateTargetGroupCommand, DeleteTargetGroupCommand, DescribeLoadBalancersCommand,
  DescribeTagsCommand, DescribeTargetGroupAttributesCommand, DescribeTargetHealthCommand,
  DeregisterTargetsCommand, DuplicateTargetGroupNameException, ElasticLoadBalancingV2Client,
  ElasticLoadBalancingV2ServiceException, LoadBalancerNotFoundException, ModifyTargetGroupAttributesCommand,
  RegisterTargetsCommand, paginateDescribeTargetGroups, waitUntilLoadBalancerAvailable,
  waitUntilTargetDeregistered, waitUntilTargetInService,
} from "@aws-sdk/client-elastic-load-balancing-v2";

const client = new ElasticLoadBalancingV2Client({ endpoint: process.argv[2], region: "xx-lab-1" });
const soon = { client, minDelay: 1, maxDelay: 2, maxWaitTime: 90 };

// Describe, and wait.
const { LoadBalancers: [inspect], $metadata } =
  await client.send(new DescribeLoadBalancersCommand({ Names: ["inspect"] }));
assert.equal(inspect.Type, "gateway");
assert.ok(inspect.CreatedTime instanceof Date);
assert.match($metadata.requestId, /^[0-9a-f-]{36}$/);
assert.equal((await waitUntilLoadBalancerAvailable(soon, { Names: ["inspect"] })).state, "SUCCESS");

// Errors have types of their own.
await assert.rejects(
  client.send(new DescribeLoadBalancersCommand({ Names: ["nobody"] })),
  (error) => error instanceof LoadBalancerNotFoundException && error.$metadata.httpStatusCode === 400);
await assert.rejects(
  client.send(new CreateTargetGroupCommand({ Name: "bad", Protocol: "BOGUS", Port: 1 })),
  (error) => error instanceof ElasticLoadBalancingV2ServiceException && error.name === "ValidationError");

// Create; the same again is the same; another of that name is refused.
const group = { Name: "js-group", Protocol: "TCP", Port: 7000, TargetType: "ip", VpcId: "vpc-lab" };
const { TargetGroups: [made] } = await client.send(new CreateTargetGroupCommand(group));
assert.equal(made.HealthCheckIntervalSeconds, 30);
const again = await client.send(new CreateTargetGroupCommand(group));
assert.equal(again.TargetGroups[0].TargetGroupArn, made.TargetGroupArn);
await assert.rejects(
  client.send(new CreateTargetGroupCommand({ ...group, Port: 7001 })),
  (error) => error instanceof DuplicateTargetGroupNameException);

// Tags, with all that has to be escaped; each of these is signed alike within a second.
const tags = [{ Key: "team name", Value: "a&b=c+d/é %" }];
for (let i = 0; i < 3; i++)
  await client.send(new AddTagsCommand({ ResourceArns: [made.TargetGroupArn], Tags: tags }));
const { TagDescriptions } = await client.send(new DescribeTagsCommand({ ResourceArns: [made.TargetGroupArn] }));
assert.deepEqual(TagDescriptions[0].Tags, tags);

// Attributes, ours among them.
const delay = [{ Key: "deregistration_delay.timeout_seconds", Value: "1" }];
await client.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn: made.TargetGroupArn, Attributes: delay }));
const { Attributes } =
  await client.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn: made.TargetGroupArn }));
assert.equal(Attributes.find((a) => a.Key === delay[0].Key).Value, "1");

// A paginator sees every group once.
for (let i = 0; i < 4; i++)
  await client.send(new CreateTargetGroupCommand({ ...group, Name: `js-page${i}` }));
const names = [];
let pages = 0;
for await (const page of paginateDescribeTargetGroups({ client }, { PageSize: 2 })) {
  assert.ok(page.TargetGroups.length <= 2);
  names.push(...page.TargetGroups.map((g) => g.TargetGroupName));
  pages++;
}
assert.deepEqual(names.filter((n) => n.startsWith("js-")).sort(),
  ["js-group", "js-page0", "js-page1", "js-page2", "js-page3"]);
assert.equal(new Set(names).size, names.length);

// A target joins and leaves.
const firewalls = { TargetGroupArn: await arnOf("firewalls") };
const joining = { ...firewalls, Targets: [{ Id: "10.9.0.12" }] };
await client.send(new RegisterTargetsCommand(joining));
assert.equal((await waitUntilTargetInService(soon, joining)).state, "SUCCESS");
const { TargetHealthDescriptions } = await client.send(new DescribeTargetHealthCommand(joining));
assert.equal(TargetHealthDescriptions[0].TargetHealth.State, "healthy");
await client.send(new DeregisterTargetsCommand(joining));
assert.equal((await waitUntilTargetDeregistered(soon, joining)).state, "SUCCESS");

for (const name of names.filter((n) => n.startsWith("js-")))
  await client.send(new DeleteTargetGroupCommand({ TargetGroupArn: await arnOf(name) }));
console.log(`${pages} pages, ${names.length} groups`);

async function arnOf(name) {
  for await (const page of paginateDescribeTargetGroups({ client }, { Names: [name] }))
    return page.TargetGroups[0].TargetGroupArn;
}
