// SPDX-License-Identifier: Apache-2.0
// The running state as a configuration file: reading it back and applying it changes nothing. And
// what a file changes besides objects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"

namespace sluice::gateway {

// With the gateway's key: whoever may ask for it may do everything anyway.
std::string export_yaml(const Config& config);

// A section of the file that is no part of a generation, as JSON.
struct SectionChange {
  std::string_view name;  // "gateway" or "network"
  std::string before;
  std::string after;
};

// Those that are not the same. Without keys and access to the APIs, which no running gateway
// changes.
std::vector<SectionChange> sections_between(const Config& before, const Config& after);

}  // namespace sluice::gateway
