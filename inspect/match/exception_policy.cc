// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/exception_policy.h"

#include <algorithm>

namespace sluice::inspect {
namespace {

using Cause = ExceptionCause;
using Policy = ExceptionPolicy;

struct CauseInfo {
  Cause cause;
  std::string_view name, setting, reason, target, counter;
};

// Suricata has no overload-policy and no memory of all parsers together.
constexpr CauseInfo kCauses[] = {
    {Cause::kMidstream, "midstream", "stream.midstream-policy", "stream midstream",
     "stream_midstream", "tcp.midstream_exception_policy"},
    {Cause::kStreamMemory, "stream-memcap", "stream.reassembly.memcap-policy", "stream reassembly",
     "stream_reassembly_memcap", "tcp.reassembly_exception_policy"},
    {Cause::kSessionMemory, "session-memcap", "stream.memcap-policy", "stream memcap",
     "stream_memcap", "tcp.ssn_memcap_exception_policy"},
    {Cause::kFlowMemory, "flow-memcap", "flow.memcap-policy", "flow memcap", "flow_memcap",
     "flow.memcap_exception_policy"},
    {Cause::kDefragMemory, "defrag-memcap", "defrag.memcap-policy", "defrag memcap",
     "defrag_memcap", "defrag.memcap_exception_policy"},
    {Cause::kAppError, "app-error", "app-layer.error-policy", "applayer error", "app_layer_error",
     "app_layer.error.exception_policy"},
    {Cause::kAppMemory, "app-memcap", "app-layer.memcap-policy", "applayer memcap",
     "app_layer_memcap", "app_layer.memcap_exception_policy"},
    {Cause::kOverload, "overload", "overload-policy", "overload", "overload",
     "ips.overload_exception_policy"},
};

constexpr bool in_order() {
  for (size_t i = 0; i < kExceptionCauses; i++)
    if (kCauses[i].cause != static_cast<Cause>(i)) return false;
  return std::size(kCauses) == kExceptionCauses;
}
static_assert(in_order());

constexpr std::array<std::string_view, kExceptionPolicies> kPolicies = {
    "ignore", "pass-packet", "pass-flow", "drop-packet", "drop-flow", "reject"};

const CauseInfo& info_of(Cause cause) { return kCauses[static_cast<size_t>(cause)]; }

std::optional<Cause> find(std::string_view CauseInfo::*member, std::string_view text) {
  const auto* const found = std::ranges::find(kCauses, text, member);
  if (found == std::end(kCauses)) return std::nullopt;
  return found->cause;
}

Policy nearest(Cause cause, Policy policy) {
  if (can_be(cause, policy)) return policy;
  switch (policy) {
    case Policy::kDropPacket:
      return Policy::kDropFlow;
    case Policy::kDropFlow:
    case Policy::kReject:
      return Policy::kDropPacket;
    case Policy::kPassPacket:
      return Policy::kPassFlow;
    default:
      return Policy::kPassPacket;
  }
}

}  // namespace

std::string_view cause_name(Cause cause) { return info_of(cause).name; }
std::string_view setting_of(Cause cause) { return info_of(cause).setting; }
std::string_view reason_of(Cause cause) { return info_of(cause).reason; }
std::string_view counter_of(Cause cause) { return info_of(cause).counter; }
std::optional<Cause> find_cause(std::string_view name) { return find(&CauseInfo::name, name); }
std::optional<Cause> find_cause_of_setting(std::string_view setting) {
  return find(&CauseInfo::setting, setting);
}

std::string_view policy_name(Policy policy) { return kPolicies[static_cast<size_t>(policy)]; }

std::string policy_member(Policy policy) {
  std::string out(policy_name(policy));
  std::ranges::replace(out, '-', '_');
  return out;
}

std::optional<Policy> find_policy(std::string_view name) {
  if (name == "bypass") return Policy::kPassFlow;
  if (name == "rejectboth") return Policy::kReject;
  const auto* const found = std::ranges::find(kPolicies, name);
  if (found == kPolicies.end()) return std::nullopt;
  return static_cast<Policy>(found - kPolicies.begin());
}

bool can_be(Cause cause, Policy policy) {
  const bool of_flow = policy == Policy::kPassFlow || policy == Policy::kDropFlow;
  if (cause == Cause::kMidstream)
    return policy != Policy::kPassPacket && policy != Policy::kDropPacket;
  if (cause == Cause::kStreamMemory || cause == Cause::kSessionMemory)
    return policy != Policy::kIgnore;
  if (cause == Cause::kFlowMemory) return !of_flow;
  if (cause == Cause::kDefragMemory)
    return policy == Policy::kDropPacket || policy == Policy::kPassPacket;
  return true;
}

Policy automatic_policy(Cause cause) {
  const bool goes_on = cause == Cause::kMidstream || cause == Cause::kOverload;
  return goes_on ? Policy::kIgnore : nearest(cause, Policy::kDropFlow);
}

std::string policies_of(Cause cause) {
  std::string out;
  for (size_t i = 0; i < kExceptionPolicies; i++) {
    const auto policy = static_cast<Policy>(i);
    if (!can_be(cause, policy)) continue;
    if (!out.empty()) out += ", ";
    out += policy_name(policy);
  }
  return out;
}

bool ExceptionPolicies::choose(Cause cause, Policy policy) {
  if (!can_be(cause, policy)) return false;
  of_[static_cast<size_t>(cause)] = policy;
  chosen_[static_cast<size_t>(cause)] = true;
  return true;
}

void ExceptionPolicies::choose_for_all(std::optional<Policy> policy) {
  for (size_t i = 0; i < kExceptionCauses; i++) {
    const auto cause = static_cast<Cause>(i);
    if (chosen_[i] || cause == Cause::kOverload) continue;
    of_[i] = policy ? nearest(cause, *policy) : automatic_policy(cause);
  }
}

std::string exceptions_text(const ExceptionPolicies& policies, uint8_t causes) {
  static_assert(kExceptionCauses <= 8);
  std::string out;
  for (const CauseInfo& info : kCauses) {
    if ((causes & 1u << static_cast<int>(info.cause)) == 0) continue;
    out += out.empty() ? "\"exception_policy\":[" : ",";
    out.append("{\"target\":\"").append(info.target);
    out.append("\",\"policy\":\"").append(policy_member(policies[info.cause])).append("\"}");
  }
  if (!out.empty()) out += ']';
  return out;
}

}  // namespace sluice::inspect
