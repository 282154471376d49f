// SPDX-License-Identifier: Apache-2.0
// The daemon's replies as text for a person.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sluice::gateway {

std::string print_targets(const nlohmann::json& reply);
std::string print_attachments(const nlohmann::json& reply);
std::string print_flows(const nlohmann::json& reply);
std::string print_policy(const nlohmann::json& reply);
std::string print_counters(const nlohmann::json& reply, bool zeros);
std::string print_explanation(const nlohmann::json& reply);
// A line of a trace: a sighting, or how many are lost.
std::string print_sighting(const nlohmann::json& line);
std::string print_changes(const nlohmann::json& reply);
std::string print_history(const nlohmann::json& reply);

}  // namespace sluice::gateway
