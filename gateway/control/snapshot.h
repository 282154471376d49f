// SPDX-License-Identifier: Apache-2.0
// All that the kernel knows of a device and loses when it moves to another namespace: to give it to
// a twin of the device, and back.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gateway/control/links.h"
#include "gateway/control/namespaces.h"
#include "gateway/control/netlink.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// A value under /proc/sys/net, such as ipv4/conf/eth0/rp_filter.
struct Setting {
  std::string name;
  std::string value;
};

struct Snapshot {
  Link link;
  std::vector<Setting> settings;
  std::vector<NetlinkRecord> addresses;
  std::vector<NetlinkRecord>
      routes;  // of the whole namespace: some not by this device go with it too
  std::vector<NetlinkRecord> neighbours;
};

Result<Snapshot> take_snapshot(const Namespace& where, const std::string& device);

// Makes the device of that name and number, which is down and bare, what the snapshot says.
// Repeatable.
Result<> apply_snapshot(const Namespace& where, const Snapshot& snapshot);

// The network stack of the namespace shall not use the device: no IPv6, no forwarding, no ARP
// replies.
Result<> silence(const Namespace& where, const std::string& device);

}  // namespace sluice::gateway
