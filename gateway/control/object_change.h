// SPDX-License-Identifier: Apache-2.0
// One object of the desired state, before and after.
#pragma once

#include <string>
#include <string_view>

namespace sluice::gateway {

enum class ObjectKind { kLoadBalancer, kTargetGroup, kAttachment, kEndpointService };
inline constexpr ObjectKind kObjectKinds[] = {ObjectKind::kLoadBalancer, ObjectKind::kTargetGroup,
                                              ObjectKind::kAttachment,
                                              ObjectKind::kEndpointService};

constexpr std::string_view kind_name(ObjectKind kind) {
  constexpr std::string_view kNames[] = {"load_balancer", "target_group", "attachment",
                                         "endpoint_service"};
  return kNames[static_cast<int>(kind)];
}

// Made, changed or taken away. Both sides are JSON (object_json.h); the missing one is empty.
struct ObjectChange {
  ObjectKind kind;
  std::string name;
  std::string before;
  std::string after;
  bool operator==(const ObjectChange&) const = default;
};

}  // namespace sluice::gateway
