// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/command_line.h"
#include "tunnels/packet.h"

using namespace sluice;

class NoTelnet : public sdk::Appliance {
  sdk::Answer handle(sdk::Packet& packet, sdk::Injector&) override {
    tunnels::packet parsed;
    if (parse_ip_packet(packet.ip, parsed) != tunnels::kDropNone) return sdk::Answer::kDrop;
    const bool telnet = tunnels::swap_be16(parsed.tuple.destination_port) == 23;
    return telnet ? sdk::Answer::kDrop : sdk::Answer::kReturn;
  }
};

int main(int argc, char** argv) {
  return sdk::appliance_main(argc, argv, "An appliance that keeps Telnet out",
                             [](unsigned) { return std::make_unique<NoTelnet>(); });
}
