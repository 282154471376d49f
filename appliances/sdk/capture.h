// SPDX-License-Identifier: Apache-2.0
// An appliance over a capture file instead of the network: the packets that the gateway would show
// it, with the capture's times. What the appliance returns or adds goes nowhere.
#pragma once

#include <string>

#include "appliances/sdk/appliance.h"
#include "tunnels/result.h"

namespace sluice::sdk {

// Shows every IP packet of a pcap or pcapng file to `appliance`, ticks it every 100 ms of capture
// time, and finishes it. Ethernet (with VLAN tags), raw IP, Linux cooked and loopback captures;
// frames without IP are passed over. Packets that the capture has cut short are shown as they are.
// Of a directory all files, in the order of their names, as if they were one.
Result<> run_capture(const std::string& path, Appliance& appliance);

}  // namespace sluice::sdk
