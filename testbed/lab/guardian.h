// SPDX-License-Identifier: Apache-2.0
// A small process that takes the lab down when the one that builds it is gone, however it went: it
// waits for the end of a pipe whose other side only the builder holds.
#pragma once

#include <sys/types.h>

#include <string>

#include "tunnels/result.h"

namespace sluice::testbed {

class Guardian {
 public:
  // To be called before the first thing is made, in a process of one thread.
  static Result<Guardian> start(const std::string& lab);
  Guardian(Guardian&& other) noexcept;
  // Waits until the guardian has taken the lab down, unless it was dismissed.
  ~Guardian();

  // The lab stays.
  void dismiss();

 private:
  Guardian(pid_t pid, int pipe) : pid_(pid), pipe_(pipe) {}
  pid_t pid_;
  int pipe_;
};

}  // namespace sluice::testbed
