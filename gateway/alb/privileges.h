// SPDX-License-Identifier: Apache-2.0
// Giving up what a process that reads hostile HTTP does not need.
#pragma once

#include <cstddef>
#include <string>

#include "tunnels/result.h"

namespace sluice::gateway {

// The files that may be open: the hard limit, as far as it helps. Returns how many connections of
// clients that carries, each with one to a target.
size_t raise_file_limit(size_t clients_wanted);

// After the first binding: becomes `user` (only root can; others stay who they are) and keeps
// nothing but the right to listen on ports below 1024, which later states may need. Can never gain
// privileges again, starts no processes and leaves no core file with what clients sent.
Result<> drop_privileges(const std::string& user);

}  // namespace sluice::gateway
