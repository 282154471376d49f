// SPDX-License-Identifier: Apache-2.0
// For tests of mirrors and shadows: a rule for all flows, whose packets go to appliance 0 and whose
// copies go to appliance 3.
#pragma once

#include <utility>
#include <vector>

#include "gateway/datapath/mirror_tables.h"
#include "gateway/datapath/path_fixture.h"

namespace sluice::gateway::fixture {

constexpr uint8_t kMirrorRule = 5;
constexpr uint16_t kReal = 0;
constexpr uint16_t kMirrorTarget = 3;

inline void rows_to(Tables& tables, uint32_t group, uint16_t target) {
  for (uint32_t i = 0; i < kApplianceRows; i++)
    tables.rows[first_row(group) + i] = {target, kNone16, 0};
}

inline policy_rule& add_mirror(Tables& tables, bool shadow) {
  rows_to(tables, 0, kReal);
  rows_to(tables, kOtherGroup, kMirrorTarget);
  policy_rule& rule = tables.policy_rules[kMirrorRule];
  rule.in_use = 1;
  rule.hops = 1;
  rule.hop[0] = {{0xffffffff}, {0}, 1};
  rule.mirror = kOtherGroup + 1;
  rule.shadow = shadow;
  use_for_all(tables, kMirrorRule);
  tables.policy_rules[0].mirror = 1;
  return rule;
}

inline int appliance_of(const Bytes& datagram) { return datagram[33] - 11; }

// What appliance `number` sends with the header of a datagram that another one may have got.
inline Bytes returned_as(int number, const Bytes& datagram) {
  Bytes out = returned(datagram);
  out[29] = static_cast<uint8_t>(11 + number);
  store_u16(&out[24], 0);
  store_u16(&out[24], checksum_fold(checksum_add(0, &out[14], 20)));
  return out;
}

struct Mirrored {
  mirror_head head;
  Bytes frame;
};

// Takes what a process host hands over.
class MirrorTaker {
 public:
  explicit MirrorTaker(std::vector<Mirrored>& out) : out_(out) {}
  const mirror_taker* get() const { return &taker_; }

 private:
  std::vector<Mirrored>& out_;
  mirror_taker taker_{[](void* self, const mirror_head* head, const __u8* bytes) {
                        static_cast<MirrorTaker*>(self)->out_.push_back(
                            {*head, Bytes(bytes, bytes + head->length)});
                      },
                      this};
};

}  // namespace sluice::gateway::fixture
