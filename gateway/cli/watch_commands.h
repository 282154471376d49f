// SPDX-License-Identifier: Apache-2.0
// `sluice trace`, `sluice capture`: what the daemon sees of packets, as it sees it.
#pragma once

namespace CLI {
class App;
}

namespace sluice::gateway {

void add_watch_commands(CLI::App& app);

}  // namespace sluice::gateway
