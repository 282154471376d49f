// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/aws/elbv2.h"
#include "gateway/aws/elbv2_parts.h"
#include "gateway/aws/network.h"
#include "gateway/aws/xml.h"
#include "gateway/control/policy_writer.h"
#include "gateway/control/validate.h"

namespace sluice::gateway::elbv2 {
namespace {

void read_protocol(Params& in, TargetGroup& out) {
  const auto protocol = in.choice(
      "Protocol", {"HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"});
  if (protocol == "GENEVE")
    out.protocol = Protocol::kGeneve;
  else if (protocol == "TCP")
    out.protocol = Protocol::kTcp;
  else if (protocol == "UDP")
    out.protocol = Protocol::kUdp;
  else if (protocol == "HTTP")
    out.protocol = Protocol::kHttp;
  else if (protocol)
    in.fail("UnsupportedProtocol", "target groups of protocol " + *protocol +
                                       " are not available: use GENEVE, TCP, UDP or HTTP");
  else
    (void)in.require("Protocol");
  const auto version = in.choice("ProtocolVersion", {"HTTP1", "HTTP2", "GRPC"});
  if (version && out.protocol != Protocol::kHttp)
    in.fail(kInvalid, "A protocol version is for target groups of protocol HTTP");
  if (version && *version != "HTTP1")
    in.fail(kConfiguration, "the protocol version " + *version +
                                " is not available: sluice-proxy speaks HTTP/1.1 to targets");
}

void read_port(Params& in, TargetGroup& out) {
  const auto port = in.number("Port", 1, 65'535);
  if (!port) return in.fail(kInvalid, "A port must be specified");
  if (out.protocol == Protocol::kGeneve && *port != out.port)
    in.fail(kInvalid, "The port of a target group with protocol GENEVE must be 6081");
  out.port = static_cast<uint16_t>(*port);
}

void read_target_type(Params& in, TargetGroup& out) {
  const std::string type =
      in.choice("TargetType", {"instance", "ip", "lambda", "alb"}).value_or("instance");
  if (type == "lambda" || type == "alb")
    in.fail(kConfiguration,
            "targets of type '" + type + "' are not available: use 'ip' or 'instance'");
  out.target_type = type == "ip" ? TargetType::kIp : TargetType::kInstance;
  const std::string family = in.choice("IpAddressType", {"ipv4", "ipv6"}).value_or("ipv4");
  out.ip_version = family == "ipv6" ? 6 : 4;
}

bool same_settings(const TargetGroup& there, const TargetGroup& wanted) {
  return there.protocol == wanted.protocol && there.port == wanted.port &&
         there.target_type == wanted.target_type && there.vpc == wanted.vpc &&
         (there.ip_version == 0 || there.ip_version == wanted.ip_version) &&
         there.health_check == wanted.health_check;
}

AwsResult<> add_target_group(Config& next, const TargetGroup& wanted) {
  if (const TargetGroup* there = next.target_group(wanted.name)) {
    if (same_settings(*there, wanted)) return {};
    return refuse("DuplicateTargetGroupName", "A target group with the same name '" + wanted.name +
                                                  "' exists, but with different settings");
  }
  if (next.target_groups.size() >= kTargetGroupsMax)
    return refuse("TooManyTargetGroups", "no more target groups can be made");
  next.target_groups.push_back(wanted);
  return {};
}

// Those of the load balancer, or those that are named, or all.
AwsResult<std::vector<const TargetGroup*>> select(Call& call, const std::string& balancer_arn,
                                                  const std::vector<std::string>& arns,
                                                  const std::vector<std::string>& names) {
  std::vector<const TargetGroup*> found;
  const LoadBalancer* balancer = nullptr;
  if (!balancer_arn.empty()) {
    SLUICE_TRY(balancer, find_load_balancer(call.config(), call.place, balancer_arn));
  }
  for (const std::string& arn : arns) {
    SLUICE_TRY(found.emplace_back(), find_target_group(call.config(), call.place, arn));
  }
  for (const std::string& name : names) {
    const TargetGroup* group = call.config().target_group(name);
    if (group == nullptr)
      return refuse("TargetGroupNotFound", "One or more target groups not found: '" + name + "'");
    found.push_back(group);
  }
  if (arns.empty() && names.empty())
    for (const TargetGroup& group : call.config().target_groups)
      if (balancer == nullptr || uses(*balancer, group.name)) found.push_back(&group);
  return found;
}

}  // namespace

AwsResult<> create_target_group(Call& call) {
  Params& in = call.params;
  TargetGroup wanted;
  wanted.origin = Origin::kApi;
  wanted.name = read_name(in);
  read_protocol(in, wanted);
  read_port(in, wanted);
  read_target_type(in, wanted);
  wanted.vpc = in.text("VpcId").value_or("");
  read_health_check(in, wanted.protocol, wanted.health_check, true);
  wanted.tags = read_tags(in);
  in.unavailable("TargetControlPort", kConfiguration, "the target optimizer is not available here");
  SLUICE_TRY_VOID(in.finish());
  if (!wanted.vpc.empty() && find_vpc(call.config(), wanted.vpc) == nullptr)
    return refuse(kInvalid, "The VPC ID '" + wanted.vpc + "' is not found");
  SLUICE_TRY_VOID(call.commit([&](Config& next) { return add_target_group(next, wanted); }));
  write(add(call.out, "TargetGroups"), call, *call.config().target_group(wanted.name));
  return {};
}

AwsResult<> describe_target_groups(Call& call) {
  Params& in = call.params;
  const std::string balancer = in.text("LoadBalancerArn").value_or("");
  const auto arns = in.texts("TargetGroupArns", kArnsMax);
  const auto names = in.texts("Names", kArnsMax);
  const Page page(in);
  SLUICE_TRY_VOID(in.finish());
  if (!balancer.empty() + !arns.empty() + !names.empty() > 1)
    return refuse(kInvalid,
                  "Only one of LoadBalancerArn, TargetGroupArns and Names may be specified");
  SLUICE_TRY(auto found, select(call, balancer, arns, names));
  auto list = add(call.out, "TargetGroups");
  page.cut(found, call.out, [](const TargetGroup* group) { return group->name; });
  write(list, call, found);
  return {};
}

AwsResult<> modify_target_group(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("TargetGroupArn");
  const auto there = find_target_group(call.config(), call.place, arn);
  // Which settings are right depends on the group; without one there is nothing to compare with.
  const Protocol protocol = there ? (*there)->protocol : Protocol::kTcp;
  HealthCheck check = there ? (*there)->health_check : HealthCheck{};
  read_health_check(in, protocol, check, false);
  SLUICE_TRY_VOID(in.finish());
  SLUICE_TRY(const TargetGroup* group, there);
  const std::string name = group->name;
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    next.target_groups.edit(name)->health_check = check;
    return {};
  }));
  write(add(call.out, "TargetGroups"), call, *call.config().target_group(name));
  return {};
}

AwsResult<> delete_target_group(Call& call) {
  const std::string arn = call.params.require("TargetGroupArn");
  SLUICE_TRY_VOID(call.params.finish());
  auto done = call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const TargetGroup* group, find_target_group(next, call.place, arn));
    const std::string name = group->name;
    if (std::ranges::any_of(next.load_balancers,
                            [&](const LoadBalancer& lb) { return uses(lb, name); }))
      return refuse("ResourceInUse",
                    "Target group '" + arn + "' is currently in use by a listener or a rule");
    if (policy_groups(next).contains(name))
      return refuse("ResourceInUse",
                    "Target group '" + arn + "' is currently in use by gateway.policy");
    next.target_groups.erase_if([&](const TargetGroup& other) { return other.name == name; });
    return {};
  });
  if (!done && done.error().code == "TargetGroupNotFound") return {};  // gone is gone
  return done;
}

}  // namespace sluice::gateway::elbv2
