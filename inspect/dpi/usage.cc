// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/usage.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

namespace sluice::inspect {

namespace {

// What came since `accounted`, which is brought up to now.
Amount since(const Flow& flow, bool blocked, uint64_t packets_blocked, Amount& accounted) {
  Amount now;
  now.flows = 1;
  now.flows_blocked = blocked ? 1 : 0;
  now.packets_blocked = packets_blocked;
  std::copy_n(flow.packets, 2, now.packets);
  std::copy_n(flow.bytes, 2, now.bytes);
  Amount delta;
  delta.flows = now.flows - accounted.flows;
  delta.flows_blocked = now.flows_blocked > accounted.flows_blocked ? 1 : 0;
  delta.packets_blocked = now.packets_blocked - accounted.packets_blocked;
  for (int way = 0; way < 2; way++) {
    delta.packets[way] = now.packets[way] - accounted.packets[way];
    delta.bytes[way] = now.bytes[way] - accounted.bytes[way];
  }
  now.flows_blocked = std::max(now.flows_blocked, accounted.flows_blocked);
  accounted = now;
  return delta;
}

HostAddress client_of(const Flow& flow) {
  HostAddress address;
  address.version = flow.to_server.version;
  const int words = address.version == 4 ? 1 : 4;
  std::copy_n(flow.to_server.source, words, address.words);
  return address;
}

auto host_order(const HostUsage& host) {
  const uint32_t(&w)[4] = host.address.words;
  return std::tuple(~host.bytes_max(), host.address.version, tunnels::swap_be32(w[0]),
                    tunnels::swap_be32(w[1]), tunnels::swap_be32(w[2]), tunnels::swap_be32(w[3]));
}

// The same packets give the same order, whatever the hash tables do.
void sort(UsageReport& report) {
  std::ranges::sort(report.applications, [](const auto& a, const auto& b) {
    return std::tuple(~a.amount.bytes_both(), std::string_view(a.application)) <
           std::tuple(~b.amount.bytes_both(), std::string_view(b.application));
  });
  std::ranges::sort(report.hosts,
                    [](const auto& a, const auto& b) { return host_order(a) < host_order(b); });
}

struct AddressLess {
  bool operator()(const HostAddress& a, const HostAddress& b) const {
    return std::memcmp(a.words, b.words, sizeof(a.words)) < 0 ||
           (std::memcmp(a.words, b.words, sizeof(a.words)) == 0 && a.version < b.version);
  }
};

std::vector<ApplicationUsage> merge_applications(std::span<const UsageReport> reports) {
  std::map<std::string_view, ApplicationUsage> merged;
  for (const UsageReport& report : reports) {
    for (const ApplicationUsage& usage : report.applications) {
      const auto [at, added] = merged.try_emplace(usage.application, usage);
      if (!added) at->second.amount += usage.amount;
    }
  }
  std::vector<ApplicationUsage> list;
  for (auto& [name, usage] : merged) list.push_back(std::move(usage));
  return list;
}

std::vector<HostUsage> merge_hosts(std::span<const UsageReport> reports) {
  struct Merged {
    HostUsage usage;
    uint64_t known_missed = 0;  // of the workers that know the host
  };
  uint64_t all_missed = 0;
  for (const UsageReport& report : reports) all_missed += report.missed_bytes;
  std::map<HostAddress, Merged, AddressLess> merged;
  for (const UsageReport& report : reports) {
    for (const HostUsage& host : report.hosts) {
      Merged& at = merged.try_emplace(host.address).first->second;
      at.usage.address = host.address;
      at.usage.amount += host.amount;
      at.usage.missed_bytes += host.missed_bytes;
      at.known_missed += report.missed_bytes;
    }
  }
  std::vector<HostUsage> list;
  for (auto& [address, at] : merged) {
    at.usage.missed_bytes += all_missed - at.known_missed;
    list.push_back(at.usage);
  }
  return list;
}

}  // namespace

Usage::Usage(const tunnels::siphash_key& key, size_t applications_max, size_t hosts_max)
    : applications_max_(applications_max), hosts_(hosts_max, key) {}

Amount& Usage::of(const Application& application) {
  const uint32_t key = uint32_t{application.master} << 16 | application.application;
  const auto at = applications_.find(key);
  if (at != applications_.end()) return at->second.amount;
  if (applications_.size() == applications_max_) return other_;
  return applications_.emplace(key, Counted{application.category, {}}).first->second.amount;
}

void Usage::account(const Flow& flow, const Application& application, bool blocked,
                    uint64_t packets_blocked, Accounted& accounted) {
  const Amount amount = since(flow, blocked, packets_blocked, accounted.amount);
  accounted.at_us = flow.last_us;
  of(application) += amount;
  hosts_.add(client_of(flow), amount);
}

UsageReport Usage::report(const Classifier& classifier) const {
  UsageReport report;
  for (const auto& [key, counted] : applications_) {
    const Application application{static_cast<uint16_t>(key >> 16), static_cast<uint16_t>(key),
                                  counted.category};
    report.applications.push_back({classifier.name(application),
                                   std::string(classifier.category_name(application)),
                                   counted.amount});
  }
  if (other_.flows != 0) report.applications.push_back({kOtherApplications, "", other_});
  report.hosts = hosts_.hosts();
  report.missed_bytes = hosts_.missed_bytes();
  sort(report);
  return report;
}

UsageReport merge(std::span<const UsageReport> reports) {
  UsageReport merged;
  merged.applications = merge_applications(reports);
  merged.hosts = merge_hosts(reports);
  for (const UsageReport& report : reports) merged.missed_bytes += report.missed_bytes;
  sort(merged);
  return merged;
}

}  // namespace sluice::inspect
