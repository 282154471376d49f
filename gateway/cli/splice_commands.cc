// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/splice_commands.h"

namespace sluice::gateway {

void add_splice_commands(CLI::App&) {}

}  // namespace sluice::gateway
