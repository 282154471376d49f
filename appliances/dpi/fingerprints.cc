// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/fingerprints.h"

#include <algorithm>

#include "inspect/tls/ja4.h"

namespace sluice::dpi {

bool Fingerprints::read(DpiRecord& record, std::span<const uint8_t> ip,
                        const tunnels::packet& parsed) {
  const bool from_client = parsed.tuple.source_port == record.to_server.source_port &&
                           std::ranges::equal(parsed.tuple.source, record.to_server.source);
  if (!from_client || !(parsed.flags & tunnels::kPacketHasPorts)) return false;
  const uint8_t* tcp = &ip[parsed.l4_offset];
  const size_t payload = parsed.l4_offset + (tcp[12] >> 4) * 4u;
  if (payload > ip.size()) return false;
  inspect::tls::HelloWatch& watch = record.user.hello;
  const bool syn = tcp[13] & tunnels::kTcpSyn;
  if (!watch.show(tunnels::load_be32(tcp + 4), syn, ip.subspan(payload), pool_)) return false;
  const auto hello = inspect::tls::read_client_hello(watch.message());
  if (hello) record.user.classification.set_ja4(inspect::tls::ja4(*hello), hello->encrypted_hello);
  (hello ? counters_.hellos_read : counters_.hellos_malformed)++;
  watch.end();
  return hello.has_value();
}

}  // namespace sluice::dpi
