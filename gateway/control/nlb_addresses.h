// SPDX-License-Identifier: Apache-2.0
// The addresses of NLB listeners on the gateway's own interface, so that the kernel answers ARP and
// neighbour discovery for them. The packet path translates before any packet reaches that
// interface.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "gateway/control/model.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// Of all listeners of network load balancers.
std::set<IpAddress> nlb_addresses_of(const Config& config);

class NlbAddresses {
 public:
  NlbAddresses() = default;
  ~NlbAddresses();  // takes the addresses away again
  // Keeps a list of them in this file from now on, and counts as its own those that are in it: what
  // a daemon that was killed has left is taken away by the next set() that does not want it.
  void remember_in(std::string file);
  // Leaves the addresses where they are, and the file.
  void keep() { file_.clear(), present_.clear(); }
  // Leaves what remember_in() has found there, and nothing else.
  void go_back();
  NlbAddresses(const NlbAddresses&) = delete;
  NlbAddresses& operator=(const NlbAddresses&) = delete;

  // Gives `interface` exactly these, as /32 and /128, beside what it has. One that is there already
  // (a daemon that was killed) is taken over.
  Result<> set(const std::string& interface, const std::set<IpAddress>& wanted);

 private:
  Result<> write(const std::string& interface, const std::set<IpAddress>& addresses) const;

  std::string file_;
  uint32_t interface_index_ = 0;
  std::set<IpAddress> present_;
  std::string left_at_;  // the interface where remember_in() has found these
  std::set<IpAddress> left_;
};

}  // namespace sluice::gateway
