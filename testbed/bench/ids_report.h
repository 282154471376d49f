// SPDX-License-Identifier: Apache-2.0
// `sluice-bench ids`: its options and what it prints.
#pragma once

#include "testbed/bench/ids_bench.h"

namespace CLI {
class App;
}

namespace sluice::testbed {

void add_options(CLI::App& app, IdsBenchOptions& options);

// A table, or an array of one object.
void print(const IdsBench& bench, bool json);

}  // namespace sluice::testbed
