// SPDX-License-Identifier: Apache-2.0
// For tests of flows without a record: a guard that is closed, and what to send past it.
#pragma once

#include "gateway/datapath/path_test_base.h"
#include "gateway/datapath/unrecorded.h"

namespace sluice::gateway::fixture {

inline int appliance(const Step& step) { return step.bytes[33] - 11; }

inline Bytes turned(Bytes in) {
  for (size_t i = 0; i < 6; i++) std::swap(in[i], in[6 + i]);
  return in;
}

// A SYN of one of many clients.
inline Bytes syn_of(uint32_t client) {
  Bytes out = request();
  store_be32(&out[26], 0x0b000000 + client);
  return out;
}

inline Bytes from_another_target(Bytes datagram) {
  datagram[29] = static_cast<uint8_t>(datagram[29] == 11 ? 12 : 11);
  return with_checksum(datagram);
}

class Unrecorded : public Path {
 protected:
  Tables& tables() { return host->tables(); }
  attachment& endpoint() { return tables().attachments[0]; }
  void guard(uint32_t per_second) { endpoint().new_flows_per_second = per_second; }
  // For as long as a test runs: the only flow of this second has been opened.
  void close_guard() {
    guard(1);
    from_outside(syn_of(0xffff));
    ASSERT_EQ(events(kEventFlowCreated), 1u);
  }
  void open_guard() { guard(0); }
  void rows_to(uint16_t target) {
    for (uint32_t i = 0; i < kApplianceRows; i++) {
      row& r = tables().rows[i];
      r = {target, r.target, static_cast<uint32_t>(host->now_ms() / 1000)};
    }
  }
  void forget_flows() {
    for (uint32_t i = 0; i < kUnrecordedBuckets; i++) tables().unrecorded_buckets[i] = {};
  }
  // A rule of the policy for every flow.
  policy_rule& rule(PolicyAction action) {
    policy_rule& r = tables().policy_rules[1];
    r.in_use = 1;
    r.action = action;
    r.hops = action == kPolicyForward ? 1 : 0;
    r.hop[0] = {{0xffffffff}, {kOtherGroup}, 1};
    use_for_all(tables(), 1);
    return r;
  }
};

}  // namespace sluice::gateway::fixture
