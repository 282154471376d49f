// SPDX-License-Identifier: Apache-2.0
// What the DPI appliance lets through: a YAML file of applications and categories with an action
// each. docs/features/dpi.md explains the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inspect/dpi/classifier.h"
#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr size_t kPolicyNamesMax = 1000;  // entries of one list

enum class PolicyAction : uint8_t { kAllow, kDrop, kReject };

std::string_view policy_action_name(PolicyAction action);

// Why: "application TLS.YouTube", "category Video" or "fallback".
struct PolicyDecision {
  PolicyAction action = PolicyAction::kAllow;
  std::string_view rule;  // good as long as the policy is
};

class Policy {
 public:
  // Allows everything.
  Policy() = default;
  // `file` is what errors call the text; `names` are all that may be mentioned. Every error is
  // reported, one per line: "file:line:column: what".
  static Result<Policy> parse(const std::string& text, const std::string& file,
                              const DpiNames& names);
  static Result<Policy> load(const std::string& file, const DpiNames& names);

  // The most telling rule wins: the whole name (TLS.YouTube), the application (YouTube), what
  // carries it (TLS), the category, the fallback.
  //
  // While the answer is not final, a rule may block only if nothing that is learned later can lead
  // to an allowing rule: a rule for an application blocks at once unless the policy allows some
  // application by name; categories and the fallback wait.
  PolicyDecision decide(const Application& application, bool final) const;

 private:
  friend class PolicyReader;
  struct Rule {
    PolicyAction action = PolicyAction::kAllow;
    std::string text;
  };
  // Master and application in one number; a name without a dot has master 0.
  static uint32_t key(uint16_t master, uint16_t application) {
    return uint32_t{master} << 16 | application;
  }
  const Rule* find_application(const Application& application) const;

  std::unordered_map<uint32_t, Rule> applications_;
  std::unordered_map<uint16_t, Rule> categories_;
  Rule fallback_{PolicyAction::kAllow, "fallback"};
  bool allows_an_application_ = false;
};

}  // namespace sluice::inspect
