// SPDX-License-Identifier: Apache-2.0
// The commands that go on: what is seen of packets, for as long as the client listens.
#pragma once

#include <memory>

#include "gateway/api/server.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class ControlPlane;
class Fields;

// `trace`: a line of JSON for each time that a packet of one flow is seen, and one that tells how
// many were lost, if some were.
Result<std::unique_ptr<StreamSource>> start_trace(ControlPlane& plane, Fields& fields);

// `capture`: packets at the stages that are wanted, as a pcapng file.
Result<std::unique_ptr<StreamSource>> start_capture(ControlPlane& plane, Fields& fields);

}  // namespace sluice::gateway
