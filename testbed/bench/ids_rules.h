// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace sluice::testbed {

// Made-up rules, in about the proportions in which public rule sets ask for buffers: parts of URIs,
// host names, names in DNS and TLS, user agents, bodies, bytes of streams.
std::string made_up_rules(uint32_t count);

}  // namespace sluice::testbed
