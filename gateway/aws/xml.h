// SPDX-License-Identifier: Apache-2.0
// Answers as XML trees, made with pugixml.
#pragma once

#include <cstdint>
#include <pugixml.hpp>
#include <string>

namespace sluice::gateway {

inline pugi::xml_node add(pugi::xml_node parent, const char* name) {
  return parent.append_child(name);
}
// A value that XML cannot carry (a file may have brought it) is shown as "?".
void add(pugi::xml_node parent, const char* name, const std::string& value);
inline void add(pugi::xml_node parent, const char* name, const char* value) {
  parent.append_child(name).text().set(value);
}
inline void add(pugi::xml_node parent, const char* name, bool value) {
  parent.append_child(name).text().set(value);
}
inline void add_number(pugi::xml_node parent, const char* name, uint64_t value) {
  parent.append_child(name).text().set(static_cast<unsigned long long>(value));
}

std::string xml_text(const pugi::xml_document& document);

// "2026-11-21T06:31:01.000Z"
std::string iso_time(uint64_t unix_ms);

}  // namespace sluice::gateway
