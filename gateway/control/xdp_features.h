// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of a device and XDP.
#pragma once

#include <string>

#include "gateway/control/namespaces.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// An error with the remedy if what XDP at the tunnel sends to `device` would be lost, because the
// device has no way to take it (ndo_xdp_xmit), or has one only with an XDP program of its own. No
// error where a kernel before Linux 6.3 does not tell, and none about a veth: it has one as soon as
// its other end polls (redirect_trouble() in offloads.h).
Result<> check_redirects(const Namespace& where, const std::string& device);

}  // namespace sluice::gateway
