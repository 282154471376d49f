// SPDX-License-Identifier: Apache-2.0
// What tells one text from another under the gateway's key: 16 hexadecimal digits.
#pragma once

#include <string>
#include <string_view>

#include "tunnels/flow_key.h"

namespace sluice::gateway {

std::string hexadecimal(uint64_t number);
std::string digest_of(const tunnels::siphash_key& key, std::string_view text);

}  // namespace sluice::gateway
