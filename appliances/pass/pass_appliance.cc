// SPDX-License-Identifier: Apache-2.0
#include "appliances/pass/pass_appliance.h"

namespace sluice::pass {

namespace {

class PassAppliance : public sdk::Appliance {
 public:
  sdk::Answer handle(sdk::Packet&, sdk::Injector&) override { return sdk::Answer::kReturn; }
};

}  // namespace

std::unique_ptr<sdk::Appliance> make_pass() { return std::make_unique<PassAppliance>(); }

}  // namespace sluice::pass
