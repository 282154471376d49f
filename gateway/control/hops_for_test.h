// SPDX-License-Identifier: Apache-2.0
// For tests: a network in which every target is one hop away, and the interfaces are these.
#pragma once

#include <map>
#include <string>

#include "gateway/targets/neighbours.h"

namespace sluice::gateway {

class MadeUpHops : public NextHops {
 public:
  Result<NextHop> find(const IpAddress&) override {
    return NextHop{3, mtu, {2, 0, 0, 0, 0, 1}, MacAddress{2, 0, 0, 0, 0, 2}};
  }
  Result<uint32_t> interface_index(const std::string& name) override {
    const auto at = interfaces.find(name);
    if (at == interfaces.end()) return fail("there is no such interface", "interface " + name);
    return at->second;
  }
  Result<uint32_t> interface_mtu(const std::string& name) override {
    const auto at = mtus.find(name);
    if (at == mtus.end()) return fail("there is no such interface", "interface " + name);
    return at->second;
  }
  uint16_t mtu = 1600;
  std::map<std::string, uint32_t> mtus;
  std::map<std::string, uint32_t> interfaces{
      {"out0", 1}, {"in0", 2}, {"gen0", 3}, {"a", 4}, {"b", 5}};
};

}  // namespace sluice::gateway
