// SPDX-License-Identifier: Apache-2.0
// What rules may refer to, beside variables. Keywords about what is not there refuse their rules.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::inspect {

class Datasets;
class IpReputation;

// What nDPI calls applications and risks, by number. Asked only if a rule speaks of them.
class ApplicationNames {
 public:
  struct Found {
    uint16_t master = 0;  // 0: whatever carries it, and what it carries
    uint16_t application = 0;
  };
  virtual ~ApplicationNames() = default;
  // "TLS.YouTube", "YouTube".
  virtual Result<Found> application(std::string_view name) = 0;
  virtual Result<uint8_t> risk(std::string_view name) = 0;
};

struct RuleSources {
  Datasets* datasets = nullptr;
  std::shared_ptr<const IpReputation> reputation;
  ApplicationNames* applications = nullptr;
};

}  // namespace sluice::inspect
