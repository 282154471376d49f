// SPDX-License-Identifier: Apache-2.0
// What a rule's classtype means: the EVE category and the priority.
#pragma once

#include <map>
#include <string>

#include "tunnels/result.h"

namespace sluice::inspect {

struct Classtype {
  std::string description;
  int priority = 3;
};
using Classification = std::map<std::string, Classtype, std::less<>>;

inline constexpr size_t kClassificationFileMax = 16u << 20;

// The classtypes that public rule sets have in common.
Classification default_classification();

// Adds the lines `config classification: name,description,priority` of a file.
Result<> load_classification(const std::string& path, Classification& out);

}  // namespace sluice::inspect
