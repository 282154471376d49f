// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/dns_answer.h"

#include <arpa/nameser.h>
#include <resolv.h>

#include <algorithm>
#include <cstring>

namespace sluice::gateway {
namespace {

constexpr size_t kSrvFixed = 6;  // priority, weight, port (RFC 2782)

ns_type type_of(DnsRecord record) {
  if (record == DnsRecord::kSrv) return ns_t_srv;
  return record == DnsRecord::kAaaa ? ns_t_aaaa : ns_t_a;
}

void take_address(const ns_rr& record, size_t size, uint8_t version, DnsAnswer& out) {
  if (ns_rr_rdlen(record) != size) return;
  IpAddress address;
  address.version = version;
  std::memcpy(address.words, ns_rr_rdata(record), size);
  out.addresses.push_back(address);
}

Result<> take_service(const ns_msg& message, const ns_rr& record, DnsAnswer& out) {
  if (ns_rr_rdlen(record) <= kSrvFixed) return fail("a SRV record is too short");
  const uint8_t* data = ns_rr_rdata(record);
  char host[NS_MAXDNAME];
  if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), data + kSrvFixed, host,
                         sizeof(host)) < 0)
    return fail("the name in a SRV record is broken");
  const auto number = [&](size_t at) {
    return static_cast<uint16_t>(data[at] << 8 | data[at + 1]);
  };
  SrvRecord service{host, number(4), number(0)};
  if (service.host.ends_with('.')) service.host.pop_back();
  // "." says that the service is not offered here.
  if (!service.host.empty()) out.services.push_back(std::move(service));
  return {};
}

void keep_lowest_priority(std::vector<SrvRecord>& services) {
  if (services.empty()) return;
  const uint16_t lowest = std::ranges::min(services, {}, &SrvRecord::priority).priority;
  std::erase_if(services, [&](const SrvRecord& s) { return s.priority != lowest; });
}

}  // namespace

Result<DnsAnswer> parse_dns_answer(std::span<const uint8_t> bytes, DnsRecord wanted) {
  ns_msg message;
  if (ns_initparse(bytes.data(), static_cast<int>(bytes.size()), &message) != 0)
    return fail("the DNS answer is broken");
  DnsAnswer out;
  const size_t count = std::min<size_t>(ns_msg_count(message, ns_s_an), kDnsRecordsMax);
  for (size_t i = 0; i < count; i++) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, static_cast<int>(i), &record) != 0)
      return fail("the DNS answer is broken");
    if (ns_rr_class(record) != ns_c_in) continue;
    out.ttl_s = std::min<uint32_t>(out.ttl_s, ns_rr_ttl(record));
    if (ns_rr_type(record) != type_of(wanted)) continue;
    if (wanted == DnsRecord::kA) take_address(record, 4, 4, out);
    if (wanted == DnsRecord::kAaaa) take_address(record, 16, 6, out);
    if (wanted == DnsRecord::kSrv) SLUICE_TRY_VOID(take_service(message, record, out));
  }
  keep_lowest_priority(out.services);
  return out;
}

}  // namespace sluice::gateway
