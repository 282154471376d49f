// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/enforcer.h"

#include <random>

#include "tunnels/siphash.h"

namespace sluice::dpi {

using inspect::Per;
using inspect::PolicyAction;

namespace {

// One for the process, because workers share meters; not to be guessed, so that nobody can choose
// addresses that push out another client's meter.
const tunnels::siphash_key& meter_key() {
  static const tunnels::siphash_key kKey = [] {
    std::random_device random;
    const auto word = [&] { return uint64_t{random()} << 32 | random(); };
    return tunnels::siphash_key{word(), word()};
  }();
  return kKey;
}

}  // namespace

Enforcer::Enforcer(Meters& meters) : meters_(meters) {}

uint64_t Enforcer::key_of(const DpiRecord& record, Per per) const {
  tunnels::siphash_state state;
  siphash_init(&state, &meter_key());
  siphash_word(&state, record.user.rule->identity);
  siphash_word(&state, static_cast<uint64_t>(per));
  if (per == Per::kClient) {
    const auto& address = record.to_server.source;
    siphash_word(&state, uint64_t{address[0]} << 32 | address[1]);
    siphash_word(&state, uint64_t{address[2]} << 32 | address[3]);
  } else {
    const inspect::Application& application = record.user.classification.application();
    siphash_word(&state,
                 application.application != 0 ? application.application : application.master);
  }
  return siphash_finish(&state, record.to_server.version, 0);
}

bool Enforcer::within(DpiRecord& record, const inspect::Limit& limit, uint32_t bytes,
                      int64_t now_us) {
  if (limit.per == Per::kFlow) return take_tokens(record.user.bucket, limit, bytes, now_us * 1000);
  return meters_.take(key_of(record, limit.per), limit, bytes, now_us);
}

Coverage Enforcer::charge(DpiRecord& record, uint32_t bytes, int64_t now_us,
                          const inspect::CivilMinute& today) {
  const inspect::Treatment& action = record.user.rule->action;
  if (action.kind == PolicyAction::kLimit)
    return within(record, action.limit, bytes, now_us) ? Coverage::kCovered : Coverage::kOverLimit;
  if (action.kind != PolicyAction::kQuota) return Coverage::kCovered;
  const inspect::Quota& quota = action.quota;
  if (meters_.charge(key_of(record, quota.per), quota, bytes, day_since(today, quota.reset)))
    return Coverage::kCovered;
  if (quota.then == PolicyAction::kDrop) return Coverage::kOverQuota;
  if (quota.then == PolicyAction::kReject) return Coverage::kOverQuotaReject;
  return within(record, quota.limit, bytes, now_us) ? Coverage::kCovered : Coverage::kOverLimit;
}

}  // namespace sluice::dpi
