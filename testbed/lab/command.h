// SPDX-License-Identifier: Apache-2.0
// `sluice lab up|down|status|exec`.
#pragma once

namespace CLI {
class App;
}

namespace sluice::testbed {

// Adds the command to `app`. It runs when the line is parsed; if it fails it says why on standard
// error and throws CLI::RuntimeError, CLI11's way to a non-zero exit status (CLI11_PARSE turns it
// into one).
void add_lab_command(CLI::App& app);

}  // namespace sluice::testbed
