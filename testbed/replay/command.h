// SPDX-License-Identifier: Apache-2.0
// `sluice replay`.
#pragma once

namespace CLI {
class App;
}

namespace sluice::testbed {

// Adds the command to `app`. When it is given, it runs while `app` parses; it fails by throwing
// CLI::RuntimeError with the exit status, after it has said why on stderr.
void add_replay_command(CLI::App& app);

}  // namespace sluice::testbed
