// SPDX-License-Identifier: Apache-2.0
// What all commands that ask a daemon have.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "tunnels/result.h"

namespace CLI {
class App;
}

namespace sluice::gateway {

// Says why on standard error and throws CLI::RuntimeError.
[[noreturn]] void give_up(const Error& error);

template <class T>
T or_give_up(Result<T> result) {
  if (!result) give_up(result.error());
  return std::move(*result);
}

inline void or_give_up(Result<> result) {
  if (!result) give_up(result.error());
}

// Each command owns one through its callback.
struct Asking {
  std::string socket, config;
  bool as_json = false;
  nlohmann::json request;

  void add_options(CLI::App& command);
  // Sends the request and prints the reply, as JSON or as `print` makes it.
  void ask(const std::function<std::string(const nlohmann::json&)>& print) const;
};

}  // namespace sluice::gateway
