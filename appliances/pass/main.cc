// SPDX-License-Identifier: Apache-2.0
#include "appliances/pass/pass_appliance.h"
#include "appliances/sdk/command_line.h"

int main(int argc, char** argv) {
  return sluice::sdk::appliance_main(argc, argv,
                                     "sluice-pass: an appliance that approves everything",
                                     [](unsigned) { return sluice::pass::make_pass(); });
}
