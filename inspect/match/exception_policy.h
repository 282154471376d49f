// SPDX-License-Identifier: Apache-2.0
// What becomes of packets that cannot be inspected as they should be, by cause. Suricata's words.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::inspect {

enum class ExceptionCause : uint8_t {
  kMidstream,      // a TCP connection that is met in its middle
  kStreamMemory,   // no memory for the bytes of a stream
  kSessionMemory,  // no memory for one more connection whose bytes are put in order
  kFlowMemory,     // a full table of established flows, of which a new one would displace one
  kDefragMemory,   // no room for a fragment
  kAppError,       // a parser gave up: broken, or made to look so
  kAppMemory,      // no memory for what a parser keeps
  kOverload,       // the packet has waited too long before it was looked at
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

// "midstream", "stream-memcap", "session-memcap", "flow-memcap", "defrag-memcap", "app-error",
// "app-memcap", "overload".
std::string_view cause_name(ExceptionCause cause);
std::optional<ExceptionCause> find_cause(std::string_view name);
// The setting that chooses the policy: "stream.midstream-policy".
std::string_view setting_of(ExceptionCause cause);
std::optional<ExceptionCause> find_cause_of_setting(std::string_view setting);
// As "drop" events say it: "stream midstream".
std::string_view reason_of(ExceptionCause cause);
// Below which it is counted, by policy: "tcp.midstream_exception_policy".
std::string_view counter_of(ExceptionCause cause);

// "ignore", "pass-packet", "pass-flow" (also "bypass"), "drop-packet", "drop-flow", "reject" (also
// "rejectboth").
std::string_view policy_name(ExceptionPolicy policy);
// As events and counters say it: "drop_flow".
std::string policy_member(ExceptionPolicy policy);
std::optional<ExceptionPolicy> find_policy(std::string_view name);
// Whether the cause can have the policy: a connection is met in its middle once, what is not put in
// order is not inspected, fragments and packets without room in the table of flows have no flow.
bool can_be(ExceptionCause cause, ExceptionPolicy policy);
// Suricata's "auto" of an engine that is inline and takes up connections in their middle:
// drop-flow, or drop-packet where there is no flow; `ignore` for kMidstream, and for kOverload, of
// which only this engine knows.
ExceptionPolicy automatic_policy(ExceptionCause cause);
// "ignore, drop-flow": those that it can have.
std::string policies_of(ExceptionCause cause);

inline constexpr size_t kExceptionCauses = static_cast<size_t>(ExceptionCause::kCount);
inline constexpr size_t kExceptionPolicies = static_cast<size_t>(ExceptionPolicy::kCount);

// By cause. What is there from the start: connections met in their middle and those with a broken
// protocol are inspected on, what has no room is dropped, and its sender repeats it; a full table
// of flows, parsers without memory and a late packet are inspected as far as it goes.
class ExceptionPolicies {
 public:
  ExceptionPolicy operator[](ExceptionCause cause) const { return of_[static_cast<size_t>(cause)]; }
  // False: the cause cannot have it.
  bool choose(ExceptionCause cause, ExceptionPolicy policy);
  // The policy, or the nearest one that it can have, of each cause for which none is chosen by
  // itself, before or later; nothing: the automatic one. Not of kOverload: nobody who speaks of
  // limits means delays.
  void choose_for_all(std::optional<ExceptionPolicy> policy);

 private:
  using Policy = ExceptionPolicy;
  std::array<Policy, kExceptionCauses> of_ = {
      Policy::kIgnore,     Policy::kDropPacket, Policy::kDropPacket, Policy::kIgnore,
      Policy::kDropPacket, Policy::kIgnore,     Policy::kIgnore,     Policy::kIgnore};
  std::array<bool, kExceptionCauses> chosen_{};
};

// The member of a "flow" event that says which `causes` (bits) it has met, and what was done:
// "exception_policy":[{"target":"stream_midstream","policy":"ignore"}]. Empty: none.
std::string exceptions_text(const ExceptionPolicies& policies, uint8_t causes);

// How often each was applied.
struct ExceptionCounters {
  std::array<std::array<uint64_t, kExceptionPolicies>, kExceptionCauses> of{};

  void count(ExceptionCause cause, ExceptionPolicy policy) {
    of[static_cast<size_t>(cause)][static_cast<size_t>(policy)]++;
  }
  uint64_t get(ExceptionCause cause, ExceptionPolicy policy) const {
    return of[static_cast<size_t>(cause)][static_cast<size_t>(policy)];
  }
  // Packets that were dropped for the cause.
  uint64_t dropped(ExceptionCause cause) const {
    return get(cause, ExceptionPolicy::kDropPacket) + get(cause, ExceptionPolicy::kDropFlow) +
           get(cause, ExceptionPolicy::kReject);
  }
};

}  // namespace sluice::inspect
