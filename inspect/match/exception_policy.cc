// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/exception_policy.h"

namespace sluice::inspect {
namespace {

constexpr std::array<std::string_view, kExceptionCauses> kCauses = {"midstream", "stream-memcap",
                                                                    "defrag-memcap", "app-error"};
constexpr std::array<std::string_view, kExceptionPolicies> kPolicies = {
    "ignore", "pass-packet", "pass-flow", "drop-packet", "drop-flow", "reject"};

template <size_t kSize>
std::optional<size_t> index_of(const std::array<std::string_view, kSize>& names,
                               std::string_view name) {
  for (size_t i = 0; i < kSize; i++) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

}  // namespace

std::string_view cause_name(ExceptionCause cause) { return kCauses[static_cast<size_t>(cause)]; }

std::optional<ExceptionCause> find_cause(std::string_view name) {
  const auto index = index_of(kCauses, name);
  if (!index) return std::nullopt;
  return static_cast<ExceptionCause>(*index);
}

std::string_view policy_name(ExceptionPolicy policy) {
  return kPolicies[static_cast<size_t>(policy)];
}

std::optional<ExceptionPolicy> find_policy(std::string_view name) {
  if (name == "bypass") return ExceptionPolicy::kPassFlow;
  if (name == "rejectboth") return ExceptionPolicy::kReject;
  const auto index = index_of(kPolicies, name);
  if (!index) return std::nullopt;
  return static_cast<ExceptionPolicy>(*index);
}

bool can_be(ExceptionCause cause, ExceptionPolicy policy) {
  if (cause == ExceptionCause::kMidstream)
    return policy != ExceptionPolicy::kPassPacket && policy != ExceptionPolicy::kDropPacket;
  if (cause == ExceptionCause::kStreamMemory) return policy != ExceptionPolicy::kIgnore;
  if (cause == ExceptionCause::kDefragMemory)
    return policy == ExceptionPolicy::kDropPacket || policy == ExceptionPolicy::kPassPacket;
  return true;
}

}  // namespace sluice::inspect
