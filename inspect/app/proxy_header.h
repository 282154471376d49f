// SPDX-License-Identifier: Apache-2.0
// What a proxy says in front of a connection, to tell whose it is (HAProxy's PROXY protocol,
// versions 1 and 2; nginx, Apache, Postfix and others take it). What follows is of any protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inspect/app/parser.h"

namespace sluice::inspect {

struct ProxyHeader {
  Probe is;
  size_t length = 0;  // if it is one; its end may be behind what is there
};

// Of the first bytes of a client.
ProxyHeader proxy_header(std::span<const uint8_t> bytes);

}  // namespace sluice::inspect
