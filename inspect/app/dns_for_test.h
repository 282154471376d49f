// SPDX-License-Identifier: Apache-2.0
// Builds DNS messages for tests.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "inspect/app/dns_message.h"

namespace sluice::inspect::testing {

inline std::string be16(size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
inline std::string be32(size_t value) { return be16(value >> 16) + be16(value & 0xffff); }

// "a.example" as labels.
inline std::string dns_name(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return wire + '\0';
}

inline std::string dns_header(size_t id, size_t flags, size_t queries, size_t answers = 0,
                              size_t authorities = 0, size_t additionals = 0) {
  return be16(id) + be16(flags) + be16(queries) + be16(answers) + be16(authorities) +
         be16(additionals);
}

inline std::string dns_question(std::string_view name, size_t type = kDnsTypeA) {
  return dns_name(name) + be16(type) + be16(1);
}

// Of the name of the first question unless another is given, on the wire.
inline std::string dns_record(size_t type, const std::string& data,
                              const std::string& name = "\xc0\x0c") {
  return name + be16(type) + be16(1) + be32(300) + be16(data.size()) + data;
}

inline std::string dns_query(std::string_view name, size_t id = 7) {
  return dns_header(id, 0x0100, 1) + dns_question(name);
}

// An address, 192.0.2.1.
inline std::string dns_answer(std::string_view name, size_t id = 7) {
  return dns_header(id, 0x8180, 1, 1) + dns_question(name) +
         dns_record(kDnsTypeA, std::string("\xc0\x00\x02\x01", 4));
}

inline std::string over_tcp(const std::string& message) { return be16(message.size()) + message; }

}  // namespace sluice::inspect::testing
