// SPDX-License-Identifier: Apache-2.0
// Where packets come in: attachments, the tunnel's interfaces, and at which entry of the packet
// path each is.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::gateway {

class Controller;

struct TakenInterface {
  std::string name;
  std::string_view role;   // outside, inside, tunnel
  std::string attachment;  // empty of a tunnel's
  std::string_view entry;  // xdp, tc; empty: nothing is taken there, for it is not there
};
std::vector<TakenInterface> taken_interfaces(const Controller& controller);

nlohmann::json describe_attachments(const Controller& controller);

}  // namespace sluice::gateway
