// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/aws/elbv2.h"
#include "gateway/aws/elbv2_parts.h"
#include "gateway/aws/network.h"
#include "gateway/aws/xml.h"
#include "gateway/control/controller.h"
#include "gateway/control/discover.h"
#include "gateway/control/validate.h"

namespace sluice::gateway::elbv2 {
namespace {

// As the client names it.
struct NamedTarget {
  std::string id;
  uint16_t port = 0;  // 0: the group's
};

std::vector<NamedTarget> read_targets(Params& in) {
  std::vector<NamedTarget> out;
  for (Params& target : in.structures("Targets", kTargetsPerGroupMax)) {
    NamedTarget one{target.require("Id")};
    one.port = static_cast<uint16_t>(target.number("Port", 1, 65'535).value_or(0));
    const auto zone = target.text("AvailabilityZone");
    if (zone && *zone != "all")
      target.fail(kConfiguration, "targets have no Availability Zones here; 'all' is accepted");
    target.unavailable("QuicServerId", kConfiguration, "QUIC is not available here");
    out.push_back(std::move(one));
  }
  return out;
}

// The target of the group's model.
AwsResult<Target> resolve(const Config& config, const TargetGroup& group,
                          const NamedTarget& named) {
  const uint16_t port = named.port == 0 ? group.port : named.port;
  if (group.target_type == TargetType::kInstance) {
    const Instance* instance = find_instance(config, named.id);
    if (instance == nullptr)
      return refuse("InvalidTarget",
                    "The instance ID '" + named.id + "' is not valid: `network` has no such one");
    return Target{instance->address, port};
  }
  const auto address = parse_ip_address(named.id);
  if (!address || !is_host_address(*address))
    return refuse("InvalidTarget", "'" + named.id + "' is no IP address of a target");
  if (group.ip_version != 0 && address->version != group.ip_version)
    return refuse("InvalidTarget",
                  "The IP address '" + named.id + "' is not of the target group's IP address type");
  return Target{*address, port};
}

// The targets of the call in the state to be, each given to `how`.
AwsResult<> change(Call& call, const std::function<AwsResult<>(TargetGroup&, const Target&)>& how,
                   bool unknown_is_fine) {
  const std::string arn = call.params.require("TargetGroupArn");
  const auto targets = read_targets(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  if (targets.empty()) return refuse(kInvalid, "'Targets' must have an element");
  return call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const TargetGroup* found, find_target_group(next, call.place, arn));
    TargetGroup& group = changeable(next, *found);
    if (is_followed(group)) return refuse("OperationNotPermitted", followed(group));
    for (const NamedTarget& named : targets) {
      const auto target = resolve(next, group, named);
      if (!target && unknown_is_fine) continue;
      if (!target) return tl::unexpected<AwsError>(target.error());
      SLUICE_TRY_VOID(how(group, *target));
    }
    return {};
  });
}

std::string id_of(const Config& config, const TargetGroup& group, const Target& target) {
  const Instance* instance =
      group.target_type == TargetType::kInstance ? find_instance(config, target.address) : nullptr;
  return instance != nullptr ? instance->id : target.address.text();
}

void write_health(pugi::xml_node list, const TargetGroup& group, const std::string& id,
                  const Target& target, const TargetHealth& health) {
  auto member = add(list, "member");
  auto named = add(member, "Target");
  add(named, "Id", id);
  add_number(named, "Port", target.port);
  const uint16_t port = group.health_check.port == 0 ? target.port : group.health_check.port;
  add(member, "HealthCheckPort", std::to_string(port));
  auto state = add(member, "TargetHealth");
  add(state, "State", std::string(health_state_name(health.state)));
  if (health.reason.empty()) return;
  add(state, "Reason", std::string(health.reason));
  add(state, "Description", health.description);
}

const TargetHealth kDraining{HealthState::kDraining, "Target.DeregistrationInProgress",
                             "Target deregistration is in progress"};

// Deregistered from the group, and its delay has not passed; beyond it a target may keep what is
// left of its flows, and as in AWS it is unused then.
bool is_draining(const Controller& controller, const TargetGroup& group, const Target& target) {
  if (group.protocol == Protocol::kHttp)
    return controller.applications().is_draining({group.name, target});
  const auto draining = controller.reconciler().draining(group.name);
  return std::ranges::any_of(
      draining, [&](const auto& one) { return one.target == target && one.left_ms > 0; });
}

// What is asked about a target that may not be registered (any more).
TargetHealth health_of(const Call& call, const TargetGroup& group, const Target& target) {
  if (std::ranges::find(group.targets, target) != group.targets.end())
    return call.plane.controller().target_health(group, target);
  if (is_draining(call.plane.controller(), group, target)) return kDraining;
  return {HealthState::kUnused, "Target.NotRegistered",
          "Target is not registered to the target group"};
}

}  // namespace

AwsResult<> register_targets(Call& call) {
  return change(
      call,
      [](TargetGroup& group, const Target& target) -> AwsResult<> {
        if (group.protocol == Protocol::kGeneve && target.port != group.port)
          return refuse("InvalidTarget", "The port of a GENEVE target must be 6081");
        if (std::ranges::find(group.targets, target) != group.targets.end()) return {};
        if (group.targets.size() >= kTargetsPerGroupMax)
          return refuse("TooManyTargets", "the target group '" + group.name + "' is full");
        group.targets.push_back(target);
        return {};
      },
      false);
}

AwsResult<> deregister_targets(Call& call) {
  return change(
      call,
      [](TargetGroup& group, const Target& target) -> AwsResult<> {
        group.weights.erase(target);
        std::erase(group.targets, target);  // one that is not registered is deregistered
        return {};
      },
      true);
}

AwsResult<> describe_target_health(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("TargetGroupArn");
  const auto asked = read_targets(in);
  for (const std::string& extra : in.texts("Include", 2))
    if (extra != "All" && extra != "AnomalyDetection")
      in.invalid("Include", "must be of: AnomalyDetection, All");
  SLUICE_TRY_VOID(in.finish());
  const Config& config = call.config();
  SLUICE_TRY(const TargetGroup* group, find_target_group(config, call.place, arn));
  auto list = add(call.out, "TargetHealthDescriptions");
  for (const NamedTarget& named : asked) {
    const auto target = resolve(config, *group, named);
    if (!target) return tl::unexpected<AwsError>(target.error());
    write_health(list, *group, named.id, *target, health_of(call, *group, *target));
  }
  if (!asked.empty()) return {};
  for (const Target& target : group->targets)
    write_health(list, *group, id_of(config, *group, target), target,
                 call.plane.controller().target_health(*group, target));
  for (const auto& one : call.plane.controller().reconciler().draining(group->name))
    if (one.left_ms > 0)
      write_health(list, *group, id_of(config, *group, one.target), one.target, kDraining);
  return {};
}

}  // namespace sluice::gateway::elbv2
