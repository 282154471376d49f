// SPDX-License-Identifier: Apache-2.0
// Names and facts for tests of policies. Numbers are indices; they need not be nDPI's.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

#include "inspect/dpi/policy.h"

namespace sluice::inspect::testing {

inline const DpiNames kNames = {
    {"Unknown", "TLS", "HTTP", "YouTube", "Facebook", "BitTorrent", "Z39.50"},
    {"Unspecified", "Web", "Video", ""},
    {"", "XSS Attack", "Weak TLS Cipher", "Self-signed Certificate"}};
inline constexpr uint16_t kTls = 1, kHttp = 2, kYouTube = 3, kFacebook = 4, kBitTorrent = 5,
                          kZ3950 = 6;
inline constexpr uint16_t kWeb = 1, kVideo = 2;

inline Policy must_parse(const std::string& text) {
  auto policy = Policy::parse(text, "p", kNames);
  EXPECT_TRUE(policy) << policy.error().text();
  return policy ? std::move(*policy) : Policy();
}

// A flow as a test describes it.
struct FlowFacts {
  Application application;
  bool final = true;
  std::string client = "10.0.0.1";
  uint64_t endpoint_id = 1;
  uint64_t schedules = 0;
  Findings findings = {};

  template <class Use>
  auto with(const Use& use) const {
    uint32_t words[4] = {};
    const bool v4 = client.find(':') == std::string::npos;
    inet_pton(v4 ? AF_INET : AF_INET6, client.c_str(), words);
    const Address address{words, static_cast<uint8_t>(v4 ? 4 : 6)};
    return use(PolicyFacts{application, findings, final, address, endpoint_id, schedules});
  }
};

inline PolicyDecision decide(const Policy& policy, const FlowFacts& flow) {
  return flow.with([&](const PolicyFacts& facts) { return policy.decide(facts); });
}

// "drop by category Video".
inline std::string decided(const Policy& policy, const FlowFacts& flow) {
  const PolicyDecision decision = decide(policy, flow);
  return std::string(policy_action_name(decision.action().kind)) + " by " + decision.rule->text;
}

}  // namespace sluice::inspect::testing
