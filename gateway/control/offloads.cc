// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/offloads.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "gateway/control/links.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kFeatureWordsMax = 8;
constexpr char kBoundFeature[] = "netns-local";  // its name in the kernel's table of features

// One ethtool command; `data` starts with the command word. Returns what the kernel returned.
Result<int> ethtool(const Namespace& where, const std::string& device, void* data) {
  if (device.size() >= IFNAMSIZ) return fail("not a name of a network device", device);
  SLUICE_TRY(NamespaceScope scope, NamespaceScope::enter(where));
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_errno("cannot open a socket");
  ifreq request = {};
  std::memcpy(request.ifr_name, device.data(), device.size());
  request.ifr_data = static_cast<char*>(data);
  int result = ioctl(fd, SIOCETHTOOL, &request);
  int error = errno;
  close(fd);
  if (result < 0) return fail_errno("cannot read or set the offloads", device, error);
  return result;
}

// A command whose struct ends in an array: `count` elements of type T after the header H.
template <class H, class T>
struct Tail {
  explicit Tail(uint32_t count) : words((sizeof(H) + count * sizeof(T) + 3) / 4) {}
  H* header() { return reinterpret_cast<H*>(words.data()); }
  T* elements() {
    return reinterpret_cast<T*>(reinterpret_cast<uint8_t*>(words.data()) + sizeof(H));
  }
  std::vector<uint32_t> words;
};

Result<uint32_t> feature_count(const Namespace& where, const std::string& device) {
  Tail<ethtool_sset_info, uint32_t> info(1);
  info.header()->cmd = ETHTOOL_GSSET_INFO;
  info.header()->sset_mask = 1ULL << ETH_SS_FEATURES;
  SLUICE_TRY_VOID(ethtool(where, device, info.words.data()));
  uint32_t count = info.elements()[0];
  if (count > kFeatureWordsMax * 32)
    return fail("more offloads than this program knows of", device);
  return count;
}

Result<Tail<ethtool_gfeatures, ethtool_get_features_block>> get_features(
    const Namespace& where, const std::string& device) {
  SLUICE_TRY(uint32_t count, feature_count(where, device));
  uint32_t blocks = (count + 31) / 32;
  Tail<ethtool_gfeatures, ethtool_get_features_block> get(blocks);
  get.header()->cmd = ETHTOOL_GFEATURES;
  get.header()->size = blocks;
  SLUICE_TRY_VOID(ethtool(where, device, get.words.data()));
  return get;
}

}  // namespace

Result<bool> read_offload(const Namespace& where, const std::string& device, Offload offload) {
  ethtool_value value = {};
  value.cmd = offload == Offload::kReceiveMerging ? ETHTOOL_GGRO : ETHTOOL_GTXCSUM;
  SLUICE_TRY_VOID(ethtool(where, device, &value));
  return value.data != 0;
}

Result<> write_offload(const Namespace& where, const std::string& device, Offload offload,
                       bool on) {
  ethtool_value value = {};
  value.cmd = offload == Offload::kReceiveMerging ? ETHTOOL_SGRO : ETHTOOL_STXCSUM;
  value.data = on ? 1 : 0;
  SLUICE_TRY_VOID(ethtool(where, device, &value));
  return {};
}

std::string redirect_trouble(const Namespace& where, const std::string& device) {
  auto socket = RouteSocket::open(where);
  if (!socket) return {};
  const auto link = find_link(*socket, device);
  if (!link || link->kind != "veth") return {};
  const auto peer = find_veth_peer(where, *link);
  // A program of its own makes the peer poll as well.
  if (!peer || peer->link.xdp_program != 0) return {};
  const auto merges = read_offload(peer->where, peer->link.name, Offload::kReceiveMerging);
  if (!merges || *merges) return {};
  return "interface " + device +
         ": what is redirected into it is lost, because the other end of the veth pair does not "
         "merge "
         "received packets; say in its namespace: ethtool -K " +
         peer->link.name + " gro on";
}

Result<Features> read_features(const Namespace& where, const std::string& device) {
  SLUICE_TRY(auto get, get_features(where, device));
  Features features;
  for (uint32_t i = 0; i < get.header()->size && i < kFeatureWordsMax; ++i) {
    features.available.push_back(get.elements()[i].available);
    features.requested.push_back(get.elements()[i].requested);
  }
  return features;
}

Result<> write_features(const Namespace& where, const std::string& device,
                        const Features& features) {
  uint32_t blocks =
      static_cast<uint32_t>(std::min<size_t>(features.available.size(), features.requested.size()));
  Tail<ethtool_sfeatures, ethtool_set_features_block> set(blocks);
  set.header()->cmd = ETHTOOL_SFEATURES;
  set.header()->size = blocks;
  for (uint32_t i = 0; i < blocks; ++i) {
    set.elements()[i].valid = features.available[i];
    set.elements()[i].requested = features.requested[i];
  }
  SLUICE_TRY_VOID(ethtool(where, device, set.words.data()));
  return {};
}

Result<bool> is_bound_to_namespace(const Namespace& where, const std::string& device) {
  SLUICE_TRY(uint32_t count, feature_count(where, device));
  Tail<ethtool_gstrings, char> names(count * ETH_GSTRING_LEN);
  names.header()->cmd = ETHTOOL_GSTRINGS;
  names.header()->string_set = ETH_SS_FEATURES;
  names.header()->len = count;
  SLUICE_TRY_VOID(ethtool(where, device, names.words.data()));
  SLUICE_TRY(auto get, get_features(where, device));
  for (uint32_t bit = 0; bit < count; ++bit) {
    if (std::strncmp(names.elements() + bit * ETH_GSTRING_LEN, kBoundFeature, ETH_GSTRING_LEN) != 0)
      continue;
    return (get.elements()[bit / 32].active >> (bit % 32) & 1) != 0;
  }
  return false;  // newer kernels tell only by refusing the move
}

}  // namespace sluice::gateway
