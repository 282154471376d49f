// SPDX-License-Identifier: Apache-2.0
// The commands of `sluice` about the state as a whole: apply, export, history, diff, rollback.
#pragma once

namespace CLI {
class App;
}

namespace sluice::gateway {

void add_state_commands(CLI::App& app);

}  // namespace sluice::gateway
