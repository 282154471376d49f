// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/ids_counters.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "inspect/match/inspector.h"
#include "tunnels/metrics_page.h"

namespace sluice::ids {
namespace {

using inspect::AppCounters;
using inspect::AppProtocol;
using inspect::ExceptionCause;
using inspect::ExceptionPolicy;
using inspect::Inspector;
using nlohmann::ordered_json;
using tunnels::MetricsPage;

constexpr std::string_view kDropReason = "ips.drop_reason.";

inspect::LatencyCounters latency_of(Inspector& inspector) {
  const inspect::LatencyGuard* const guard = inspector.latency();
  return guard != nullptr ? guard->counters() : inspect::LatencyCounters{};
}

const inspect::FragmentCounters& fragments_of(Inspector& inspector) {
  return inspector.defragmenter().counters();
}

template <ExceptionCause cause>
uint64_t dropped(Inspector& inspector) {
  return inspector.exception_counters().dropped(cause);
}

template <uint64_t AppCounters::*counter, AppProtocol protocol, bool tcp>
uint64_t app(Inspector& inspector) {
  return inspector.counters().app(protocol, tcp).*counter;
}

template <AppProtocol protocol, bool tcp>
uint64_t transactions(Inspector& inspector) {
  return inspector.transaction_counters().transactions[static_cast<size_t>(protocol)][tcp];
}

constexpr const char* kAppFlows = "Flows that speak it; failed: none that is known.";
constexpr const char* kAppTransactions = "Transactions of it.";
constexpr const char* kAppErrors = "Flows whose parser gave up.";
constexpr const char* kAppMemory = "Flows for whose parser there was no memory.";

using Kind = IdsCounter::Kind;
// Of what these two count, decoder.avg_pkt_size is made.
constexpr size_t kPackets = 0;
constexpr size_t kBytes = 1;

constexpr IdsCounter kCounters[] = {
    {"decoder.pkts", "Packets that came in.", [](Inspector& i) { return i.counters().packets; }},
    {"decoder.bytes", "Bytes that came in: of frames in a capture, of IP packets live.",
     [](Inspector& i) { return i.counters().bytes; }},
    {"decoder.avg_pkt_size", "Bytes of a packet that came in, on average.",
     [](Inspector&) { return uint64_t{0}; }, Kind::kAverage},
    {"decoder.max_pkt_size", "Bytes of the largest packet that came in.",
     [](Inspector& i) { return i.counters().bytes_max; }, Kind::kMax},
    {"decoder.ethernet", "Frames of Ethernet; live there are none.",
     [](Inspector& i) { return i.counters().ethernet; }},
    {"decoder.vlan", "Frames in a VLAN.", [](Inspector& i) { return i.counters().vlan; }},
    {"decoder.vlan_qinq", "Frames in a VLAN in a VLAN.",
     [](Inspector& i) { return i.counters().vlan_qinq; }},
    {"decoder.ipv4", "Packets of IPv4: also fragments, what they make, and those in tunnels.",
     [](Inspector& i) { return i.counters().ipv4; }},
    {"decoder.ipv6", "Packets of IPv6: also fragments, what they make, and those in tunnels.",
     [](Inspector& i) { return i.counters().ipv6; }},
    {"decoder.tcp", "Segments, also in tunnels.",
     [](Inspector& i) { return i.counters().decoded.tcp; }},
    {"decoder.udp", "Datagrams of UDP, also in tunnels.",
     [](Inspector& i) { return i.counters().decoded.udp; }},
    {"decoder.icmpv4", "Packets of ICMP over IPv4, also in tunnels.",
     [](Inspector& i) { return i.counters().decoded.icmpv4; }},
    {"decoder.icmpv6", "Packets of ICMP over IPv6, also in tunnels.",
     [](Inspector& i) { return i.counters().decoded.icmpv6; }},
    {"decoder.gre", "Packets in GRE.", [](Inspector& i) { return i.counters().gre; }},
    {"decoder.vxlan", "Packets in VXLAN.", [](Inspector& i) { return i.counters().vxlan; }},
    {"decoder.geneve", "Packets in GENEVE.", [](Inspector& i) { return i.counters().geneve; }},
    {"decoder.ipv4_in_ipv6", "Packets of IPv4 in IPv6.",
     [](Inspector& i) { return i.counters().ipv4_in_ipv6; }},
    {"decoder.ipv6_in_ipv6", "Packets of IPv6 in IPv6.",
     [](Inspector& i) { return i.counters().ipv6_in_ipv6; }},
    {"decoder.tunnelled", "Packets in tunnels.",
     [](Inspector& i) { return i.counters().tunnelled; }},
    {"decoder.invalid", "Packets that are no well-formed IP, TCP or UDP.",
     [](Inspector& i) { return i.counters().dropped_malformed; }},
    {"ips.accepted", "Packets that passed.",
     [](Inspector& i) { return i.counters().passed + i.counters().passed_by_flow; }},
    {"ips.blocked", "Packets that were dropped.",
     [](Inspector& i) {
       return i.counters().packets - i.counters().passed - i.counters().passed_by_flow;
     }},
    {"ips.rejected", "Packets whose ends were told that they were dropped.",
     [](Inspector& i) { return i.counters().rejected; }},
    {"ips.drop_reason.decode_error", "",
     [](Inspector& i) { return i.counters().dropped_malformed; }},
    {"ips.drop_reason.invalid_checksum", "",
     [](Inspector& i) { return i.counters().dropped_checksum; }},
    {"ips.drop_reason.rules", "", [](Inspector& i) { return i.counters().dropped_by_rules; }},
    {"ips.drop_reason.flow_drop", "", [](Inspector& i) { return i.counters().dropped_by_flow; }},
    {"ips.drop_reason.stream_error", "",
     [](Inspector& i) { return i.counters().dropped_stream_error; }},
    {"ips.drop_reason.stream_midstream", "", dropped<ExceptionCause::kMidstream>},
    {"ips.drop_reason.stream_reassembly", "", dropped<ExceptionCause::kStreamMemory>},
    {"ips.drop_reason.stream_memcap", "", dropped<ExceptionCause::kSessionMemory>},
    {"ips.drop_reason.flow_memcap", "", dropped<ExceptionCause::kFlowMemory>},
    {"ips.drop_reason.defrag_error", "",
     [](Inspector& i) { return i.counters().dropped_fragment_error; }},
    {"ips.drop_reason.defrag_memcap", "", dropped<ExceptionCause::kDefragMemory>},
    {"ips.drop_reason.applayer_error", "", dropped<ExceptionCause::kAppError>},
    {"ips.drop_reason.applayer_memcap", "", dropped<ExceptionCause::kAppMemory>},
    {"ips.drop_reason.overload", "", dropped<ExceptionCause::kOverload>},
    {"ips.drop_reason.default_packet_policy", "",
     [](Inspector& i) { return i.counters().dropped_by_default; }},
    {"detect.alert", "Alerts written.", [](Inspector& i) { return i.counters().alerts; }},
    {"detect.alert_queue_overflow", "Alerts over what is written for one packet.",
     [](Inspector& i) { return i.counters().alerts_suppressed; }},
    {"detect.fired_full", "Rules that may report the same bytes of a connection again.",
     [](Inspector& i) { return i.counters().fired_full; }},
    {"detect.xbits_forgotten", "Bits of addresses that made room for others.",
     [](Inspector& i) { return i.host_bits().evicted(); }},
    {"detect.match_limit", "Payloads on which a rule spent all it may.",
     [](Inspector& i) { return i.matcher().cost_limit_hits(); }},
    {"detect.pcre_limit", "Regular expressions that were given up.",
     [](Inspector& i) { return i.matcher().regex_limit_hits(); }},
    {"detect.fast_pathed", "Packets on which not all rules were tried, because they took too long.",
     [](Inspector& i) { return latency_of(i).fast_pathed; }},
    {"detect.rule_timeouts", "Rules that took too long on one packet.",
     [](Inspector& i) { return latency_of(i).rule_timeouts; }},
    {"detect.rule_suspensions", "Rules that were suspended because they took too long.",
     [](Inspector& i) { return latency_of(i).suspensions; }},
    {"detect.counts_forgotten", "Counts of thresholds that made room for others.",
     [](Inspector& i) { return i.alert_limits().forgotten(); }},
    {"detect.thresholds.bitmap_memuse", "Bytes of counts that tell ports from each other.",
     [](Inspector& i) { return uint64_t{i.alert_limits().port_memory()}; }, Kind::kNow},
    {"detect.thresholds.bitmap_alloc_fail", "Ports that counted as new ones for want of memory.",
     [](Inspector& i) { return i.alert_limits().port_sets_refused(); }},
    {"flow.total", "Flows since the start.",
     [](Inspector& i) { return i.flow_counters().created; }},
    {"flow.active", "Flows that are known now.", [](Inspector& i) { return uint64_t{i.flows()}; },
     Kind::kNow},
    {"flow.tcp", "Flows of TCP.", [](Inspector& i) { return i.counters().flows.tcp; }},
    {"flow.udp", "Flows of UDP.", [](Inspector& i) { return i.counters().flows.udp; }},
    {"flow.icmpv4", "Flows of ICMP over IPv4.",
     [](Inspector& i) { return i.counters().flows.icmpv4; }},
    {"flow.icmpv6", "Flows of ICMP over IPv6.",
     [](Inspector& i) { return i.counters().flows.icmpv6; }},
    {"flow.memuse", "Bytes that the tables of flows have taken.",
     [](Inspector& i) { return uint64_t{i.flows_held()}; }, Kind::kNow},
    {"flow.timed_out", "Flows that were idle too long.",
     [](Inspector& i) { return i.flow_counters().timed_out; }},
    {"flow.evicted", "Flows that made room for others.",
     [](Inspector& i) { return i.flow_counters().evicted; }},
    {"flow.encrypted", "Flows that are not searched behind their handshake.",
     [](Inspector& i) { return i.counters().encrypted_flows; }},
    {"flow.turned", "Flows whose client turned out to be the other end.",
     [](Inspector& i) { return i.counters().turned_flows; }},
    {"tcp.sessions", "Connections, from their beginning or their middle on.",
     [](Inspector& i) { return i.counters().tcp_sessions; }},
    {"tcp.midstream_pickups", "Connections that were met in their middle and are inspected.",
     [](Inspector& i) {
       return i.exception_counters().get(ExceptionCause::kMidstream, ExceptionPolicy::kIgnore);
     }},
    {"tcp.syn", "Segments with SYN alone.", [](Inspector& i) { return i.counters().tcp_syn; }},
    {"tcp.synack", "Segments with SYN and ACK.",
     [](Inspector& i) { return i.counters().tcp_synack; }},
    {"tcp.rst", "Segments with RST.", [](Inspector& i) { return i.counters().tcp_rst; }},
    {"tcp.invalid_checksum", "Segments that no receiver takes.",
     [](Inspector& i) { return i.counters().dropped_checksum; }},
    {"tcp.bytes_delivered", "Bytes of streams, each inspected once.",
     [](Inspector& i) { return i.stream_counters().bytes_delivered; }},
    {"tcp.memuse", "Bytes of the records of TCP connections.",
     [](Inspector& i) { return uint64_t{i.sessions_held()}; }, Kind::kNow},
    {"tcp.reassembly_memuse", "Bytes that streams and transactions hold.",
     [](Inspector& i) { return uint64_t{i.held()}; }, Kind::kNow},
    {"app_layer.memuse", "Bytes that parsers of application protocols hold.",
     [](Inspector& i) { return uint64_t{i.app_held()}; }, Kind::kNow},
    {"tcp.segments_held", "Segments that came early.",
     [](Inspector& i) { return i.stream_counters().segments_held; }},
    {"tcp.reassembly_gap", "Places in streams with bytes that were acknowledged and never seen.",
     [](Inspector& i) { return i.stream_counters().gaps; }},
    {"tcp.overlap_diff_data", "Segments with other bytes for a place in their stream.",
     [](Inspector& i) { return i.stream_counters().conflicts; }},
    {"tcp.out_of_place",
     "Segments with bytes behind the end of their stream or beyond its receiver's window, or of a "
     "connection that nobody answered.",
     [](Inspector& i) { return i.stream_counters().out_of_place; }},
    {"tcp.held_full", "Early segments over what one direction may hold.",
     [](Inspector& i) { return i.stream_counters().held_full; }},
    {"tcp.windows_cut", "Directions that keep less of their past because memory is short.",
     [](Inspector& i) { return i.stream_counters().windows_cut; }},
    {"tcp.windows_forgotten", "Directions that keep nothing of it because memory is nearly gone.",
     [](Inspector& i) { return i.stream_counters().windows_forgotten; }},
    {"tcp.stream_depth_reached", "Directions that are inspected no further as a stream.",
     [](Inspector& i) { return i.stream_counters().depth_reached; }},
    {"defrag.ipv4.fragments", "Fragments of IPv4, also those in tunnels.",
     [](Inspector& i) { return fragments_of(i).fragments[0]; }},
    {"defrag.ipv4.reassembled", "Datagrams of IPv4 that were put together.",
     [](Inspector& i) { return fragments_of(i).datagrams[0]; }},
    {"defrag.ipv6.fragments", "Fragments of IPv6, also those in tunnels.",
     [](Inspector& i) { return fragments_of(i).fragments[1]; }},
    {"defrag.ipv6.reassembled", "Datagrams of IPv6 that were put together.",
     [](Inspector& i) { return fragments_of(i).datagrams[1]; }},
    {"defrag.memuse", "Bytes that datagrams in fragments hold.",
     [](Inspector& i) { return uint64_t{i.defragmenter().memory_used()}; }, Kind::kNow},
    {"defrag.repeats", "Fragments that came again, the same.",
     [](Inspector& i) { return fragments_of(i).repeats; }},
    {"defrag.overlaps", "Fragments with other bytes for a place in their datagram.",
     [](Inspector& i) { return fragments_of(i).overlaps; }},
    {"defrag.invalid", "Fragments that no receiver takes.",
     [](Inspector& i) { return fragments_of(i).invalid; }},
    {"defrag.max_trackers_reached", "Fragments of datagrams over trackers.",
     [](Inspector& i) { return fragments_of(i).datagrams_full; }},
    {"defrag.max_frags_reached", "Fragments over what may wait.",
     [](Inspector& i) { return fragments_of(i).fragments_full; }},
    {"defrag.memcap_reached", "Fragments without memory.",
     [](Inspector& i) { return fragments_of(i).no_memory; }},
    {"defrag.tracker_soft_reuse", "Complete datagrams that were forgotten to make room.",
     [](Inspector& i) { return fragments_of(i).forgotten; }},
    {"defrag.wrk.tracker_timeout", "Datagrams that were never whole.",
     [](Inspector& i) { return fragments_of(i).timed_out; }},
    {"app_layer.flow.http", kAppFlows, app<&AppCounters::flows, AppProtocol::kHttp1, true>},
    {"app_layer.flow.http2", kAppFlows, app<&AppCounters::flows, AppProtocol::kHttp2, true>},
    {"app_layer.flow.tls", kAppFlows, app<&AppCounters::flows, AppProtocol::kTls, true>},
    {"app_layer.flow.dns_tcp", kAppFlows, app<&AppCounters::flows, AppProtocol::kDns, true>},
    {"app_layer.flow.dns_udp", kAppFlows, app<&AppCounters::flows, AppProtocol::kDns, false>},
    {"app_layer.flow.smtp", kAppFlows, app<&AppCounters::flows, AppProtocol::kSmtp, true>},
    {"app_layer.flow.ftp", kAppFlows, app<&AppCounters::flows, AppProtocol::kFtp, true>},
    {"app_layer.flow.ssh", kAppFlows, app<&AppCounters::flows, AppProtocol::kSsh, true>},
    {"app_layer.flow.imap", kAppFlows, app<&AppCounters::flows, AppProtocol::kImap, true>},
    {"app_layer.flow.smb", kAppFlows, app<&AppCounters::flows, AppProtocol::kSmb, true>},
    {"app_layer.flow.failed_tcp", kAppFlows, app<&AppCounters::flows, AppProtocol::kFailed, true>},
    {"app_layer.flow.failed_udp", kAppFlows, app<&AppCounters::flows, AppProtocol::kFailed, false>},
    {"app_layer.tx.http", kAppTransactions, transactions<AppProtocol::kHttp1, true>},
    {"app_layer.tx.http2", kAppTransactions, transactions<AppProtocol::kHttp2, true>},
    {"app_layer.tx.tls", kAppTransactions, transactions<AppProtocol::kTls, true>},
    {"app_layer.tx.dns_tcp", kAppTransactions, transactions<AppProtocol::kDns, true>},
    {"app_layer.tx.dns_udp", kAppTransactions, transactions<AppProtocol::kDns, false>},
    {"app_layer.tx.smtp", kAppTransactions, transactions<AppProtocol::kSmtp, true>},
    {"app_layer.tx.ftp", kAppTransactions, transactions<AppProtocol::kFtp, true>},
    {"app_layer.tx.ssh", kAppTransactions, transactions<AppProtocol::kSsh, true>},
    {"app_layer.error.http.parser", kAppErrors,
     app<&AppCounters::parser_errors, AppProtocol::kHttp1, true>},
    {"app_layer.error.http.alloc", kAppMemory,
     app<&AppCounters::no_memory, AppProtocol::kHttp1, true>},
    {"app_layer.error.http2.parser", kAppErrors,
     app<&AppCounters::parser_errors, AppProtocol::kHttp2, true>},
    {"app_layer.error.http2.alloc", kAppMemory,
     app<&AppCounters::no_memory, AppProtocol::kHttp2, true>},
    {"app_layer.error.tls.parser", kAppErrors,
     app<&AppCounters::parser_errors, AppProtocol::kTls, true>},
    {"app_layer.error.tls.alloc", kAppMemory,
     app<&AppCounters::no_memory, AppProtocol::kTls, true>},
    {"app_layer.error.dns_tcp.parser", kAppErrors,
     app<&AppCounters::parser_errors, AppProtocol::kDns, true>},
    {"app_layer.error.dns_tcp.alloc", kAppMemory,
     app<&AppCounters::no_memory, AppProtocol::kDns, true>},
    {"app_layer.error.dns_udp.parser", kAppErrors,
     app<&AppCounters::parser_errors, AppProtocol::kDns, false>},
    {"app_layer.error.dns_udp.alloc", kAppMemory,
     app<&AppCounters::no_memory, AppProtocol::kDns, false>},
    {"app_layer.error.smtp.parser", kAppErrors,
     app<&AppCounters::parser_errors, AppProtocol::kSmtp, true>},
    {"app_layer.error.smtp.alloc", kAppMemory,
     app<&AppCounters::no_memory, AppProtocol::kSmtp, true>},
    {"app_layer.error.ftp.parser", kAppErrors,
     app<&AppCounters::parser_errors, AppProtocol::kFtp, true>},
    {"app_layer.error.ftp.alloc", kAppMemory,
     app<&AppCounters::no_memory, AppProtocol::kFtp, true>},
    {"app_layer.error.ssh.parser", kAppErrors,
     app<&AppCounters::parser_errors, AppProtocol::kSsh, true>},
    {"app_layer.error.ssh.alloc", kAppMemory,
     app<&AppCounters::no_memory, AppProtocol::kSsh, true>},
    {"app_layer.events", "What an honest peer does not do.",
     [](Inspector& i) { return i.transaction_counters().events; }},
    {"app_layer.files", "Files that were looked at.",
     [](Inspector& i) { return i.transaction_counters().files; }},
    {"app_layer.files_unlisted", "Files over those that the alerts of one packet list.",
     [](Inspector& i) { return i.transaction_counters().files_unlisted; }},
    {"app_layer.buffers_full", "Buffers over what is kept of one transaction.",
     [](Inspector& i) { return i.transaction_counters().buffers_full; }},
    {"app_layer.body_limit", "Bodies that are longer than what is looked at.",
     [](Inspector& i) { return i.transaction_counters().body_limit; }},
    {"app_layer.no_memory", "Buffers and bodies without memory.",
     [](Inspector& i) { return i.transaction_counters().no_memory; }},
};

static_assert(std::string_view(kCounters[kPackets].path) == "decoder.pkts");
static_assert(std::string_view(kCounters[kBytes].path) == "decoder.bytes");

bool is_drop_reason(const IdsCounter& counter) {
  return std::string_view(counter.path).starts_with(kDropReason);
}

std::string with(std::string_view path, char separator) {
  std::string out(path);
  std::ranges::replace(out, '.', separator);
  return out;
}

uint64_t value_of(const IdsNumbers& numbers, size_t i) {
  if (numbers.values.empty()) return 0;
  if (kCounters[i].kind == Kind::kAverage)
    return numbers.values[kBytes] / std::max<uint64_t>(numbers.values[kPackets], 1);
  return numbers.values[i];
}

template <class Take>
void for_each_exception(Take take) {
  for (size_t c = 0; c < inspect::kExceptionCauses; c++) {
    const auto cause = static_cast<inspect::ExceptionCause>(c);
    for (size_t p = 0; p < inspect::kExceptionPolicies; p++) {
      const auto policy = static_cast<inspect::ExceptionPolicy>(p);
      if (can_be(cause, policy)) take(cause, policy);
    }
  }
}

}  // namespace

std::span<const IdsCounter> ids_counters() { return kCounters; }

IdsNumbers& IdsNumbers::operator+=(const IdsNumbers& other) {
  values.resize(std::max(values.size(), other.values.size()));
  for (size_t i = 0; i < other.values.size(); i++) {
    const bool largest = kCounters[i].kind == Kind::kMax;
    values[i] = largest ? std::max(values[i], other.values[i]) : values[i] + other.values[i];
  }
  for (size_t c = 0; c < inspect::kExceptionCauses; c++) {
    for (size_t p = 0; p < inspect::kExceptionPolicies; p++)
      exceptions.of[c][p] += other.exceptions.of[c][p];
  }
  return *this;
}

IdsNumbers numbers_of(Inspector& inspector) {
  IdsNumbers out;
  for (const IdsCounter& counter : kCounters) out.values.push_back(counter.value(inspector));
  out.exceptions = inspector.exception_counters();
  return out;
}

ordered_json stats_of(const IdsNumbers& numbers, const IdsNumbers* before) {
  ordered_json out;
  const auto put = [&](const std::string& path, uint64_t value, uint64_t value_before) {
    out[ordered_json::json_pointer(path)] = value;
    if (before != nullptr)
      out[ordered_json::json_pointer(path + "_delta")] = static_cast<int64_t>(value - value_before);
  };
  for (size_t i = 0; i < std::size(kCounters); i++)
    put("/" + with(kCounters[i].path, '/'), value_of(numbers, i),
        before != nullptr ? value_of(*before, i) : 0);
  for_each_exception([&](inspect::ExceptionCause cause, inspect::ExceptionPolicy policy) {
    put("/" + with(counter_of(cause), '/') + "/" + policy_member(policy),
        numbers.exceptions.get(cause, policy),
        before != nullptr ? before->exceptions.get(cause, policy) : 0);
  });
  return out;
}

void add_numbers(const IdsNumbers& numbers, MetricsPage& page) {
  for (size_t i = 0; i < std::size(kCounters); i++) {
    const IdsCounter& counter = kCounters[i];
    if (is_drop_reason(counter)) continue;
    const std::string name = "sluice_ids_" + with(counter.path, '_');
    MetricsPage::Family family = counter.kind == Kind::kTotal
                                     ? page.counter((name + "_total").c_str(), counter.help)
                                     : page.gauge(name.c_str(), counter.help);
    family.sample(value_of(numbers, i));
  }
  MetricsPage::Family drops =
      page.counter("sluice_ids_drops_total", "Packets that were dropped, by reason.");
  for (size_t i = 0; i < std::size(kCounters); i++) {
    if (is_drop_reason(kCounters[i]))
      drops.sample(value_of(numbers, i), {{"reason", kCounters[i].path + kDropReason.size()}});
  }
  MetricsPage::Family exceptions = page.counter(
      "sluice_ids_exceptions_total",
      "Packets that could not be inspected as they should be, by what became of them.");
  for_each_exception([&](inspect::ExceptionCause cause, inspect::ExceptionPolicy policy) {
    exceptions.sample(
        numbers.exceptions.get(cause, policy),
        {{"cause", std::string(cause_name(cause))}, {"policy", std::string(policy_name(policy))}});
  });
}

}  // namespace sluice::ids
