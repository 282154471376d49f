// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/dns_source.h"

#include <algorithm>

namespace sluice::gateway {

DnsSource::DnsSource(EventLoop& loop, DiscoverSettings settings, Heard heard, uint32_t second_ms)
    : settings_(std::move(settings)),
      heard_(std::move(heard)),
      second_ms_(second_ms),
      loop_(loop),
      again_(loop, [this] { ask(); }) {
  again_.set_after(0);
}

void DnsSource::ask() {
  ttl_s_ = UINT32_MAX;
  found_ = {};
  trouble_.clear();
  auto resolver = Resolver::create(loop_, settings_.servers);
  if (!resolver) return finish(tl::make_unexpected(std::move(resolver).error()));
  resolver_ = std::move(*resolver);
  resolver_->ask(settings_.name, settings_.record,
                 [this](Result<DnsAnswer> answer) { answered(std::move(answer)); });
}

void DnsSource::answered(Result<DnsAnswer> answer) {
  if (!answer) return finish(tl::make_unexpected(std::move(answer).error()));
  ttl_s_ = answer->ttl_s;
  if (settings_.record == DnsRecord::kSrv && !answer->services.empty())
    return look_up_hosts(*answer);
  for (const IpAddress& address : answer->addresses) found_.targets.push_back({address, 0});
  finish(std::move(found_));
}

void DnsSource::look_up_hosts(const DnsAnswer& answer) {
  if (answer.services.size() > kSrvHostsMax)
    return finish(fail("more than " + std::to_string(kSrvHostsMax) + " SRV records"));
  hosts_open_ = answer.services.size();
  const DnsRecord record = settings_.srv_ipv6 ? DnsRecord::kAaaa : DnsRecord::kA;
  for (const SrvRecord& service : answer.services)
    resolver_->ask(service.host, record, [this, service](const Result<DnsAnswer>& result) {
      host_answered(service, result);
    });
}

// One server that cannot be asked makes the whole answer unknown: its targets must not go away.
void DnsSource::host_answered(const SrvRecord& service, const Result<DnsAnswer>& answer) {
  if (!answer) {
    trouble_ = service.host + ": " + answer.error().text();
  } else {
    ttl_s_ = std::min(ttl_s_, answer->ttl_s);
    for (const IpAddress& address : answer->addresses)
      found_.targets.push_back({address, service.port});
    if (answer->addresses.empty() && found_.unusable++ == 0)
      found_.why = service.host + " has no address";
  }
  if (--hosts_open_ > 0) return;
  if (trouble_.empty())
    finish(std::move(found_));
  else
    finish(fail(trouble_));
}

void DnsSource::finish(Result<Found> result) {
  if (result && result->targets.empty()) result = fail("the name has no such records");
  uint32_t wait_s = std::clamp(ttl_s_, kTtlFloorS, kTtlCeilingS);
  if (result)
    backoff_.reset();
  else
    wait_s = backoff_.next_s();
  again_.set_after(uint64_t{wait_s} * second_ms_);
  heard_(std::move(result));
}

}  // namespace sluice::gateway
