// SPDX-License-Identifier: Apache-2.0
// The names that rules use for what nDPI finds. nDPI begins when the first rule asks for one.
#pragma once

#include <memory>

#include "inspect/dpi/classifier.h"
#include "inspect/rules/sources.h"

namespace sluice::inspect {

class NdpiNames final : public ApplicationNames {
 public:
  Result<Found> application(std::string_view name) override;
  Result<uint8_t> risk(std::string_view name) override;

 private:
  Result<> begin();

  std::unique_ptr<Classifier> classifier_;
};

}  // namespace sluice::inspect
