// SPDX-License-Identifier: Apache-2.0
// Completion of a command line in bash, made from the commands and options that it has.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace sluice::gateway {

// A script for bash: `source <(sluice completion)`.
std::string bash_completion(const CLI::App& app, const std::string& program);

// Adds the command `completion`, which prints it for all of `app`. Add it last.
void add_completion_command(CLI::App& app);

}  // namespace sluice::gateway
