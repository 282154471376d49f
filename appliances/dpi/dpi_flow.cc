// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/dpi_flow.h"

namespace sluice::dpi {

namespace {

using C = DpiCounters;

constexpr CounterField kFields[] = {
    {"flows", "Flows that were met.", &C::flows},
    {"flows_known", "Flows in the table.", &C::flows_known, true},
    {"flows_evicted", "Flows given up because the table was full.", &C::flows_evicted},
    {"flows_blocked", "Flows that the policy blocked.", &C::flows_blocked},
    {"flows_held", "Flows whose first packets were held back.", &C::flows_held},
    {"fragments_refused", "Fragments that overlap, are invalid or have no room.",
     &C::fragments_refused},
    {"packets_malformed", "Packets that are no IP.", &C::packets_malformed},
    {"packets_blocked", "Packets of blocked flows.", &C::packets_blocked},
    {"packets_limited", "Packets dropped over a limit.", &C::packets_limited},
    {"packets_over_quota", "Packets dropped over a quota.", &C::packets_over_quota},
    {"packets_marked", "Packets that got a DSCP.", &C::packets_marked},
    {"packets_steered", "Packets returned with a hint.", &C::packets_steered},
    {"packets_held", "Packets held back.", &C::packets_held},
    {"bytes_held", "Bytes held back.", &C::bytes_held, true},
    {"holds_expired", "Flows not known before their hold ended.", &C::holds_expired},
    {"holds_overflowed", "Flows with more packets than may be held.", &C::holds_overflowed},
    {"policies", "Policies taken while running.", &C::policies},
    {"hellos_read", "ClientHellos of TLS that gave a fingerprint.", &C::hellos_read},
    {"hellos_malformed", "ClientHellos that were none.", &C::hellos_malformed},
};

}  // namespace

std::span<const CounterField> counter_fields() { return kFields; }

DpiCounters& DpiCounters::operator+=(const DpiCounters& other) {
  for (const CounterField& field : kFields) this->*field.value += other.*field.value;
  return *this;
}

}  // namespace sluice::dpi
