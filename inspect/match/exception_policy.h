// SPDX-License-Identifier: Apache-2.0
// What becomes of packets that cannot be inspected as they should be, by cause. Suricata's words.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::inspect {

enum class ExceptionCause : uint8_t {
  kMidstream,     // a TCP connection that is met in its middle
  kStreamMemory,  // no memory for the bytes of a stream
  kDefragMemory,  // no room for a fragment
  kAppError,      // a parser gave up: broken, or made to look so
  kCount,
};

enum class ExceptionPolicy : uint8_t {
  kIgnore,      // goes on as well as it can
  kPassPacket,  // this packet passes without inspection
  kPassFlow,    // and so does the rest of its flow
  kDropPacket,
  kDropFlow,
  kReject,  // kDropFlow, and both ends are told
  kCount,
};

// "midstream", "stream-memcap", "defrag-memcap", "app-error".
std::string_view cause_name(ExceptionCause cause);
std::optional<ExceptionCause> find_cause(std::string_view name);
// "ignore", "pass-packet", "pass-flow" (also "bypass"), "drop-packet", "drop-flow", "reject" (also
// "rejectboth").
std::string_view policy_name(ExceptionPolicy policy);
std::optional<ExceptionPolicy> find_policy(std::string_view name);
// Whether the policy can be applied to the cause: a connection is met in its middle once, what has
// no room cannot be ignored, and a fragment has no flow.
bool can_be(ExceptionCause cause, ExceptionPolicy policy);

inline constexpr size_t kExceptionCauses = static_cast<size_t>(ExceptionCause::kCount);
inline constexpr size_t kExceptionPolicies = static_cast<size_t>(ExceptionPolicy::kCount);

// By cause. What is there from the start: connections met in their middle and those with a broken
// protocol are inspected on, what has no room is dropped, and its sender repeats it.
struct ExceptionPolicies {
  std::array<ExceptionPolicy, kExceptionCauses> of = {
      ExceptionPolicy::kIgnore, ExceptionPolicy::kDropPacket, ExceptionPolicy::kDropPacket,
      ExceptionPolicy::kIgnore};

  ExceptionPolicy operator[](ExceptionCause cause) const { return of[static_cast<size_t>(cause)]; }
  ExceptionPolicy& operator[](ExceptionCause cause) { return of[static_cast<size_t>(cause)]; }
};

// How often each was applied.
struct ExceptionCounters {
  std::array<std::array<uint64_t, kExceptionPolicies>, kExceptionCauses> of{};

  void count(ExceptionCause cause, ExceptionPolicy policy) {
    of[static_cast<size_t>(cause)][static_cast<size_t>(policy)]++;
  }
  uint64_t get(ExceptionCause cause, ExceptionPolicy policy) const {
    return of[static_cast<size_t>(cause)][static_cast<size_t>(policy)];
  }
};

}  // namespace sluice::inspect
