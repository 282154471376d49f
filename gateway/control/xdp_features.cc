// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/xdp_features.h"

#include <linux/genetlink.h>

#include <cstring>
#include <optional>

#include "gateway/control/links.h"

namespace sluice::gateway {
namespace {

// Of <linux/netdev.h>, which came with Linux 6.3.
constexpr char kFamily[] = "netdev";
constexpr uint8_t kGetDevice = 1;     // NETDEV_CMD_DEV_GET
constexpr int kDeviceIndex = 1;       // NETDEV_A_DEV_IFINDEX
constexpr int kDeviceFeatures = 3;    // NETDEV_A_DEV_XDP_FEATURES
constexpr uint64_t kSendsFrames = 4;  // NETDEV_XDP_ACT_NDO_XMIT

template <class Value>
std::optional<Value> ask(RouteSocket& socket, const NetlinkRequest& request, int attribute) {
  const auto answer = socket.exchange(request, "cannot ask for what XDP can do");
  if (!answer || answer->empty()) return {};
  const auto found =
      find_attribute(attributes_of(answer->front().payload, sizeof(genlmsghdr)), attribute);
  Value value{};
  if (!found || found->data.size() < sizeof(value)) return {};
  std::memcpy(&value, found->data.data(), sizeof(value));
  return value;
}

// Nothing: the kernel does not tell.
std::optional<uint64_t> features_of(const Namespace& where, int index) {
  auto socket = RouteSocket::open_generic(where);
  if (!socket) return {};
  NetlinkRequest family(GENL_ID_CTRL);
  family.header(genlmsghdr{CTRL_CMD_GETFAMILY, 1, 0}).put(CTRL_ATTR_FAMILY_NAME, kFamily);
  const auto number = ask<uint16_t>(*socket, family, CTRL_ATTR_FAMILY_ID);
  if (!number) return {};
  NetlinkRequest device(*number);
  device.header(genlmsghdr{kGetDevice, 1, 0}).put(kDeviceIndex, static_cast<uint32_t>(index));
  return ask<uint64_t>(*socket, device, kDeviceFeatures);
}

}  // namespace

Result<> check_redirects(const Namespace& where, const std::string& device) {
  SLUICE_TRY(auto socket, RouteSocket::open(where));
  SLUICE_TRY(const Link link, find_link(socket, device));
  if (link.kind == "veth") return {};
  if (features_of(where, link.index).value_or(kSendsFrames) & kSendsFrames) return {};
  return fail(
      "what XDP at the tunnel sends there would be lost, for the device has no ndo_xdp_xmit; say "
      "`gateway.tunnel.entry: tc`, or give the attachment an interface that has one",
      "interface " + device);
}

}  // namespace sluice::gateway
