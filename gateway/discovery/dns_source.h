// SPDX-License-Identifier: Apache-2.0
// The targets that a DNS name tells: its A or AAAA records, or the hosts and ports of its SRV
// records. Asked for again when the least TTL among them has passed.
//
// A name without records is a failure: that is what a server says that lost its zone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/discovery/resolver.h"
#include "gateway/discovery/source.h"

namespace sluice::gateway {

inline constexpr size_t kSrvHostsMax = 256;  // names of SRV records that are looked up at once

class DnsSource : public Source {
 public:
  DnsSource(EventLoop& loop, DiscoverSettings settings, Heard heard, uint32_t second_ms);

 private:
  void ask();
  void answered(Result<DnsAnswer> answer);
  void look_up_hosts(const DnsAnswer& answer);
  void host_answered(const SrvRecord& service, const Result<DnsAnswer>& answer);
  void finish(Result<Found> result);

  DiscoverSettings settings_;
  Heard heard_;
  uint32_t second_ms_;
  Backoff backoff_;
  EventLoop& loop_;
  // Of the question under way.
  uint32_t ttl_s_ = 0;
  Found found_;
  size_t hosts_open_ = 0;
  std::string trouble_;
  std::unique_ptr<Resolver> resolver_;  // a new one for each, so that it reads resolv.conf again
  Timer again_;
};

}  // namespace sluice::gateway
