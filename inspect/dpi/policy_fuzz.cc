// SPDX-License-Identifier: Apache-2.0
// Any text as a policy: errors that name the file, or a policy whose every decision has a rule, a
// block that stays once it came, and an explanation that ends with the decision.
#include <cstdlib>

#include "inspect/dpi/policy.h"

using namespace sluice::inspect;

namespace {

const DpiNames kNames = {{"Unknown", "TLS", "HTTP", "YouTube", "BitTorrent", "Z39.50"},
                         {"Unspecified", "Web", "Video"},
                         {"", "XSS Attack", "Weak TLS Cipher"}};
// Hyperscan takes its time with large expressions; the file is the operator's, this text is not.
constexpr size_t kSizeMax = 4096;

void check(const Policy& policy, const PolicyFacts& facts) {
  const PolicyDecision decision = policy.decide(facts);
  if (decision.rule->text.empty()) std::abort();
  if (decision.action().blocks() && !decision.settled) std::abort();
  if (facts.final && !decision.settled) std::abort();
  const auto steps = policy.explain(facts, kNames);
  if (steps.empty() || steps.back().rule != decision.rule->text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > kSizeMax) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto policy = Policy::parse(text, "fuzz", kNames);
  if (!policy) {
    if (!policy.error().text().starts_with("fuzz:")) std::abort();
    return 0;
  }
  const uint32_t client[4] = {0x0100000a};
  Findings known;
  known.host = text.substr(0, 300);
  known.risks = 6;
  known.risk_score = 100;
  for (uint16_t application = 0; application < 6; application++) {
    for (const bool final : {false, true}) {
      const uint64_t active = policy->schedules_at({20'000, 60 * application});
      const Application carried{1, application, 2};
      check(*policy, {carried, Findings{}, final, {client, 4}, 1, active});
      check(*policy, {carried, known, final, {client, 4}, 1, active});
    }
  }
  return 0;
}
