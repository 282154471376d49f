// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/tunnel_prober.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "gateway/datapath/tunnel_probe.h"
#include "tunnels/geneve.h"

namespace sluice::gateway {
namespace {

constexpr char kText[kProbePayloadLength - 8 + 1] = "sluice probe    ";
constexpr uint32_t kProbeCookie = 0xffffffff;  // belongs to no flow

}  // namespace

struct TunnelProber::Entry {
  Entry(TunnelProber& owner, const Target& name)
      : target(name), next(owner.loop_, [&owner, this] { owner.due(*this); }) {}

  Target target;
  TunnelProbe probe;
  HealthState state = HealthState::kInitial;
  int in_a_row = 0;        // results that contradict the state
  bool under_way = false;  // one was sent since the last was judged
  Timer next;
};

TunnelProber::TunnelProber(EventLoop& loop, std::span<tunnel_probe> probes, SendProbe send,
                           Changed changed)
    : loop_(loop),
      probes_(probes),
      send_(std::move(send)),
      changed_(std::move(changed)),
      random_(std::random_device{}()) {}

TunnelProber::~TunnelProber() = default;

void TunnelProber::watch(const Target& target, const TunnelProbe& probe) {
  auto& entry = entries_[target];
  const bool added = entry == nullptr;
  if (!added && entry->probe == probe) return;
  if (added) entry = std::make_unique<Entry>(*this, target);
  if (!added && entry->probe.target != probe.target) probes_[entry->probe.target] = {};
  if (added || entry->probe.target != probe.target) {
    probes_[probe.target] = {};
    entry->under_way = false;
  }
  entry->probe = probe;
  // The first one soon, but not that of a thousand appliances in the same millisecond.
  entry->next.set_after(random_() % probe.interval_ms);
}

void TunnelProber::forget(const Target& target) {
  const auto at = entries_.find(target);
  if (at == entries_.end()) return;
  probes_[at->second->probe.target] = {};
  entries_.erase(at);
}

HealthState TunnelProber::state(const Target& target) const {
  const auto at = entries_.find(target);
  return at == entries_.end() ? HealthState::kHealthy : at->second->state;
}

uint32_t TunnelProber::spread(uint32_t ms) {
  const uint32_t tenth = std::max<uint32_t>(1, ms / 10);
  return std::max<uint32_t>(1, ms - tenth / 2 + random_() % tenth);
}

uint64_t TunnelProber::next_token(const Entry& entry) {
  siphash_state s;
  siphash_init(&s, &key_);
  siphash_word(&s, ++tokens_);
  // 0 means that none is expected.
  return std::max<uint64_t>(1, siphash_finish(&s, entry.probe.target, 10));
}

void TunnelProber::due(Entry& entry) {
  entry.next.set_after(spread(entry.probe.interval_ms));
  tunnel_probe& place = probes_[entry.probe.target];
  const bool good =
      place.expected != 0 && __atomic_load_n(&place.returned, __ATOMIC_RELAXED) == place.expected;
  const bool judged = std::exchange(entry.under_way, false);
  if (!judged || good || place.expected == 0) place = {next_token(entry), 0};
  send(entry);
  if (judged) judge(entry, good);  // may forget the entry
}

void TunnelProber::send(Entry& entry) {
  const auto bytes = make_tunnel_probe(entry.probe, probes_[entry.probe.target].expected);
  entry.under_way = send_(entry.target.address, bytes);
  ++(entry.under_way ? counters_.sent : counters_.not_sent);
}

void TunnelProber::judge(Entry& entry, bool good) {
  ++(good ? counters_.returned : counters_.missed);
  const HealthState before = entry.state;
  const int threshold = !good                             ? entry.probe.unhealthy_threshold
                        : before == HealthState::kInitial ? 1
                                                          : entry.probe.healthy_threshold;
  if (before != HealthState::kInitial && (before == HealthState::kHealthy) == good) {
    entry.in_a_row = 0;
    return;
  }
  if (++entry.in_a_row < threshold) return;
  entry.in_a_row = 0;
  entry.state = good ? HealthState::kHealthy : HealthState::kUnhealthy;
  if (changed_) changed_(Target(entry.target), before);
}

std::vector<uint8_t> make_tunnel_probe(const TunnelProbe& probe, uint64_t token) {
  const geneve_profile& profile = kGeneveProfiles[probe.profile];
  geneve header{};
  header.protocol = kEtherTypeIpv4;
  header.endpoint_id = probe.endpoint_id;
  header.attachment_id = probe.attachment_id;
  header.flow_cookie = kProbeCookie;
  geneve_say(&profile, &header, 0);
  std::vector<uint8_t> out(profile.header_length + kProbeLength);
  geneve_encode(out.data(), &profile, &header);
  uint8_t* ip = &out[profile.header_length];
  store_be32(ip, 0x45000000 | kProbeLength);
  store_be32(ip + 4, 0x00004000);
  store_be32(ip + 8, 64 << 24 | kProtocolUdp << 16);
  store_be32(ip + 12, kProbeSource);
  store_be32(ip + 16, kProbeDestination);
  store_u16(ip + 10, checksum_fold(checksum_add(0, ip, 20)));
  uint8_t* udp = ip + 20;
  store_be16(udp, kProbePort);
  store_be16(udp + 2, kProbePort);
  store_be16(udp + 4, 8 + kProbePayloadLength);
  store_u64(udp + 8, token);
  std::memcpy(udp + 16, kText, kProbePayloadLength - 8);
  uint64_t sum = checksum_add(0, ip + 12, 8) + swap_be16(kProtocolUdp);
  sum += swap_be16(8 + kProbePayloadLength);
  const uint16_t checksum = checksum_fold(checksum_add(sum, udp, 8 + kProbePayloadLength));
  store_u16(udp + 6, checksum == 0 ? 0xffff : checksum);
  return out;
}

Result<ProbeSocket> ProbeSocket::open(const IpAddress& from) {
  const SocketAddress at = socket_address(from, 0);
  UniqueFd fd(::socket(at.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("cannot open a socket for probes");
  const int on = 1;
  const auto set = [&](int level, int option) {
    (void)::setsockopt(fd.get(), level, option, &on, sizeof(on));
  };
  // The address may come later.
  if (from.version == 4) {
    set(SOL_SOCKET, SO_NO_CHECK);
    set(IPPROTO_IP, IP_FREEBIND);
  } else {
    set(IPPROTO_UDP, UDP_NO_CHECK6_TX);
    set(IPPROTO_IPV6, IPV6_FREEBIND);
  }
  if (::bind(fd.get(), at.raw(), at.size()) != 0)
    return fail_errno("cannot send from the tunnel address", from.text());
  return ProbeSocket(std::move(fd));
}

bool ProbeSocket::send(const IpAddress& to, std::span<const uint8_t> datagram) const {
  const SocketAddress peer = socket_address(to, kGenevePort);
  return ::sendto(fd_.get(), datagram.data(), datagram.size(), 0, peer.raw(), peer.size()) ==
         static_cast<ssize_t>(datagram.size());
}

}  // namespace sluice::gateway
