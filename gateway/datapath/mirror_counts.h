// SPDX-License-Identifier: Apache-2.0
// What is counted of mirrors and shadows, by name, for those who show it.
#pragma once

#include <array>

#include "gateway/datapath/mirror_tables.h"

namespace sluice::gateway {

struct MirrorColumn {
  const char* name;
  __u64 mirror_counters::*value;
  bool of_shadow;  // a mirror has none
};

inline constexpr std::array<MirrorColumn, 17> kMirrorColumns{{
    {"copied", &mirror_counters::copied, false},
    {"sent", &mirror_counters::sent, false},
    {"lost", &mirror_counters::lost, false},
    {"unrecorded", &mirror_counters::unrecorded, false},
    {"no_target", &mirror_counters::no_target, false},
    {"unsent", &mirror_counters::unsent, false},
    {"answers", &mirror_counters::answers, false},
    {"approved", &mirror_counters::approved, true},
    {"altered", &mirror_counters::altered, true},
    {"missing", &mirror_counters::missing, true},
    {"unasked", &mirror_counters::unasked, true},
    {"agreed", &mirror_counters::agreed, true},
    {"would_drop", &mirror_counters::would_drop, true},
    {"would_pass", &mirror_counters::would_pass, true},
    {"would_change", &mirror_counters::would_change, true},
    {"uncompared", &mirror_counters::uncompared, true},
    {"returns_lost", &mirror_counters::returns_lost, true},
}};
static_assert(sizeof(mirror_counters) == kMirrorColumns.size() * sizeof(__u64));

}  // namespace sluice::gateway
