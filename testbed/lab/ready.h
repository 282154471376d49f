// SPDX-License-Identifier: Apache-2.0
// Waiting for a program to have started.
#pragma once

#include "gateway/control/namespaces.h"
#include "testbed/lab/state.h"
#include "testbed/lab/topology.h"
#include "tunnels/result.h"

namespace sluice::testbed {

// `id` is a child of this process. Without a condition in `ready` there is nothing to wait for.
Result<> wait_until_ready(const Ready& ready, const gateway::Namespace& where, const ProcessId& id);

}  // namespace sluice::testbed
