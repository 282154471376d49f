// SPDX-License-Identifier: Apache-2.0
// `sluice insert` and `sluice remove`: the gateway into the path of an interface, and out again.
#pragma once

namespace CLI {
class App;
}

namespace sluice::gateway {

void add_splice_commands(CLI::App& app);

}  // namespace sluice::gateway
