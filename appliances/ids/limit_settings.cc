// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/limit_settings.h"

#include <algorithm>

namespace sluice::ids {
namespace {

using inspect::ExceptionCause;
using inspect::ExceptionPolicies;

constexpr std::string_view kAutomatic = "auto";
constexpr uint64_t kMemoryLeast = 1 << 20, kMemoryMost = uint64_t{1} << 40;
constexpr uint64_t kMicrosecondsMost = 60'000'000;

Failure bad_policy(std::string_view name, std::string_view value, const std::string& instead) {
  return bad_value(name, value, "it can be auto, " + instead);
}

Result<> set_policy(std::string_view name, ExceptionCause cause, std::string_view value,
                    ExceptionPolicies& policies) {
  const auto policy = value == kAutomatic ? automatic_policy(cause) : inspect::find_policy(value);
  if (policy && policies.choose(cause, *policy)) return {};
  return bad_policy(name, value, inspect::policies_of(cause));
}

// What holds for every cause that is not spoken of by itself.
Result<> set_all_policies(std::string_view name, std::string_view value,
                          ExceptionPolicies& policies) {
  const auto policy = inspect::find_policy(value);
  if (!policy && value != kAutomatic)
    return bad_policy(name, value, inspect::policies_of(ExceptionCause::kAppError));
  policies.choose_for_all(policy);
  return {};
}

Applied apply_policy(std::string_view name, std::string_view value, ExceptionPolicies& policies) {
  if (name == "exception-policy") {
    SLUICE_TRY_VOID(set_all_policies(name, value, policies));
    return true;
  }
  const auto cause = inspect::find_cause_of_setting(name);
  if (!cause) return false;
  SLUICE_TRY_VOID(set_policy(name, *cause, value, policies));
  return true;
}

// Of each worker.
Applied apply_defrag(std::string_view name, std::string_view value, inspect::DefragLimits& limits) {
  if (name == "defrag.memcap")
    return set_size(limits.memory_max, name, value, 1 << 16, uint64_t{1} << 40);
  if (name == "defrag.trackers") return set_size(limits.datagrams_max, name, value, 1, 1 << 24);
  if (name == "defrag.max-frags") return set_size(limits.fragments_max, name, value, 1, 1 << 24);
  if (name != "defrag.timeout") return false;
  int64_t seconds = 0;
  SLUICE_TRY_VOID(set_size(seconds, name, value, 1, 86400));
  limits.timeout_us = seconds * 1'000'000;
  return true;
}

}  // namespace

Applied apply_limit(std::string_view name, std::string_view value, IdsOptions& options) {
  SLUICE_TRY(const bool policy, apply_policy(name, value, options.inspection.exceptions));
  if (policy) return true;
  inspect::InspectorOptions& inspection = options.inspection;
  if (name == "stream.reassembly.depth")
    return set_size(inspection.stream.depth, name, value, 1, uint64_t{1} << 30);
  if (name == "stream.reassembly.memcap")
    return set_size(inspection.stream_memory_max, name, value, kMemoryLeast, kMemoryMost);
  if (name == "stream.memcap")
    return set_size(inspection.session_memory_max, name, value, kMemoryLeast, kMemoryMost);
  if (name == "app-layer.memcap")
    return set_size(inspection.app_memory_max, name, value, kMemoryLeast, kMemoryMost);
  if (name == "app-layer.flow-memcap")
    return set_size(inspection.app_flow_memory_max, name, value, 1 << 12, kMemoryMost);
  if (name == "overload-wait-max")
    return set_size(inspection.wait_max_us, name, value, 1, kMicrosecondsMost);
  SLUICE_TRY(const bool defrag, apply_defrag(name, value, inspection.defrag));
  if (defrag) return true;
  inspect::LatencyOptions& latency = inspection.latency;
  if (name == "latency.packet-max")
    return set_size(latency.max_us, name, value, 0, inspect::kLatencyMaxUs);
  if (name == "latency.rule-timeouts") return set_size(latency.timeouts_max, name, value, 1, 1000);
  if (name == "latency.rule-suspend")
    return set_size(latency.suspend_seconds, name, value, 1, 86400);
  return false;
}

Result<> choose_policy(const std::string& assignment, IdsOptions& options) {
  const size_t equals = std::min(assignment.find('='), assignment.size());
  const auto cause = inspect::find_cause(assignment.substr(0, equals));
  if (!cause) return fail("'" + assignment + "' is no CAUSE=POLICY");
  return set_policy(assignment.substr(0, equals), *cause,
                    assignment.substr(std::min(equals + 1, assignment.size())),
                    options.inspection.exceptions);
}

}  // namespace sluice::ids
