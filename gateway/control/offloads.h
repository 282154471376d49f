// SPDX-License-Identifier: Apache-2.0
// What a network device does on behalf of the kernel (`ethtool -k`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/control/namespaces.h"
#include "tunnels/result.h"

namespace sluice::gateway {

enum class Offload {
  kReceiveMerging,    // GRO: on a veth, also what lets XDP redirect packets into its peer
  kTransmitChecksum,  // on a veth: packets leave without their checksum, which XDP cannot complete
};

Result<bool> read_offload(const Namespace& where, const std::string& device, Offload offload);
Result<> write_offload(const Namespace& where, const std::string& device, Offload offload, bool on);

// Why frames that XDP redirects into `device` of `where` would be lost, and the remedy; empty if
// they arrive, or if it cannot be known.
std::string redirect_trouble(const Namespace& where, const std::string& device);

// All that a user has asked for, as the kernel's own bit words, to be put back later.
struct Features {
  std::vector<uint32_t> available;
  std::vector<uint32_t> requested;
};
Result<Features> read_features(const Namespace& where, const std::string& device);
Result<> write_features(const Namespace& where, const std::string& device,
                        const Features& features);

// The device cannot leave its namespace.
Result<bool> is_bound_to_namespace(const Namespace& where, const std::string& device);

}  // namespace sluice::gateway
