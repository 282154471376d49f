// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/asking.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "gateway/cli/client.h"

namespace sluice::gateway {

void give_up(const Error& error) {
  std::fprintf(stderr, "sluice: %s\n", error.text().c_str());
  throw CLI::RuntimeError(1);
}

void Asking::add_options(CLI::App& command) {
  command.add_option("--socket", socket, "the gateway's unix socket");
  command.add_option("--config", config, "a configuration file that names the socket");
  command.add_flag("--json", as_json, "print the reply as JSON");
}

void Asking::ask(const std::function<std::string(const nlohmann::json&)>& print) const {
  const std::string path = or_give_up(find_socket(socket, config));
  const nlohmann::json reply = or_give_up(ask_daemon(path, request));
  std::fputs((as_json ? reply.dump() + "\n" : print(reply)).c_str(), stdout);
}

}  // namespace sluice::gateway
