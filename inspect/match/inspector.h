// SPDX-License-Identifier: Apache-2.0
// One worker's inspection: packets in, verdicts and EVE events out. No sockets, no threads, no
// clock.
//
// For every packet: its flow is found, its TCP payload joins the stream, Hyperscan names the rules
// that can match in the packet and in the new bytes of the stream, those are confirmed exactly, and
// the rules that matched act in the order pass, drop, reject, alert. `drop` and `reject` hold for
// the rest of the flow.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "inspect/match/alert_limits.h"
#include "inspect/match/candidates.h"
#include "inspect/match/engine.h"
#include "inspect/match/flow_state.h"
#include "inspect/match/prefilter.h"
#include "inspect/match/reports.h"
#include "inspect/match/responses.h"
#include "inspect/match/rule_check.h"
#include "inspect/match/transaction_inspection.h"
#include "inspect/stream/defrag.h"

namespace sluice::inspect {

// Alerts written for one packet; as in Suricata.
inline constexpr size_t kAlertsPerPacketMax = 15;

struct InspectorOptions {
  FlowTableOptions flows;
  StreamLimits stream;
  // Bytes that the streams of this worker may hold; over it packets that would add to them are
  // dropped.
  size_t stream_memory_max = 256u << 20;
  FileOptions files;
  // Write a "flow" event when a flow ends.
  bool flow_events = true;
};

struct InspectorCounters {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t passed = 0;
  uint64_t dropped_malformed = 0;
  uint64_t dropped_by_rules = 0;      // packets that a drop or reject rule matched
  uint64_t dropped_by_flow = 0;       // later packets of such flows
  uint64_t dropped_stream_error = 0;  // other bytes for a place in the stream
  uint64_t dropped_stream_memory = 0;
  uint64_t dropped_fragment_error = 0;  // fragments that no receiver should put together
  uint64_t dropped_fragment_memory = 0;
  uint64_t passed_by_flow = 0;  // not inspected: a pass rule decided for the flow
  uint64_t rejected = 0;
  uint64_t alerts = 0;
  uint64_t alerts_suppressed = 0;  // over kAlertsPerPacketMax
  uint64_t pending_full = 0;       // candidates over kPendingMax
};

class Inspector {
 public:
  enum class Verdict { kPass, kDrop };

  // `events` must outlive the inspector.
  static Result<std::unique_ptr<Inspector>> create(std::shared_ptr<const Engine> engine,
                                                   const InspectorOptions& options, Sink& events);

  // `ip` is a bare IP packet. `responses` is cleared, and filled when a reject rule matches.
  Verdict inspect(std::span<const uint8_t> ip, int64_t time_us, Responses& responses);

  // Ends idle flows and flushes events; about every 100 ms.
  void tick(int64_t time_us);
  // Ends all flows.
  void finish(int64_t time_us);

  const InspectorCounters& counters() const { return counters_; }
  const StreamCounters& stream_counters() const { return stream_counters_; }
  const FlowTableCounters& flow_counters() const { return flows_.counters(); }

  const BufferMatcher& matcher() { return check_.matcher(); }
  const TransactionCounters& transaction_counters() const { return transactions_.counters(); }
  const AlertLimits& alert_limits() const { return limits_; }
  const FragmentCounters& fragment_counters() const { return defragmenter_.counters(); }
  uint32_t flows() const { return flows_.size(); }

 private:
  Inspector(std::shared_ptr<const Engine> engine, const InspectorOptions& options, Sink& events);

  static bool established_for(const PacketView& view, Flows::Record& flow);
  Verdict inspect_view(const PacketView& view, int64_t time_us, Responses& responses);
  Verdict inspect_fragment(const PacketView& fragment, int64_t time_us, Responses& responses);
  static void note_handshake(const Current& current);
  StreamAccept inspect_stream(const Current& current);
  void inspect_end_of_stream(const Current& current, const StreamInspection& side);
  void inspect_datagram(const Current& current);
  TcpInspection& tcp_of(FlowUser& user);
  AppSession& app_of(const Current& current);
  void inspect_piece(const Current& current, StreamInspection& side,
                     std::span<const uint8_t> piece);
  void inspect_application(const Current& current, StreamInspection& side,
                           std::span<const uint8_t> piece);
  bool matches_in_stream(const Current& current, StreamInspection& side, uint32_t index);
  void inspect_payload(const Current& current);
  void match_in_packet(const Current& current, uint32_t index);

  Verdict conclude(const Current& current, Responses& responses);
  void order_matches();
  void alert(const Current& current, const Match& match, size_t& alerts);
  Verdict pass_by_rule(const Current& current, const Match& match);
  Verdict drop_by_rule(const Current& current, const Rule& rule, Responses& responses);
  Verdict drop_by_flow(const Current& current);
  Verdict drop_by_stream(const Current& current, StreamAccept why);
  Verdict drop_fragment(const PacketView& fragment, int64_t time_us, FragmentState why);
  static void forget_content(FlowUser& user);
  static void keep_open(Flows::Record& flow);
  void on_flow_end(Flows::Record& flow, FlowEnd end);

  const std::shared_ptr<const Engine> engine_;
  const InspectorOptions options_;
  Reports reports_;
  PrefilterScratch scratch_;
  Candidates candidates_;
  RuleCheck check_;
  AlertLimits limits_;
  Defragmenter defragmenter_;
  bool fragment_error_reported_ = false;  // since the last tick
  StreamBudget budget_;
  StreamCounters stream_counters_;
  TransactionInspection transactions_;
  InspectorCounters counters_;
  int64_t now_us_ = 0;
  Flows flows_;  // last: its flows use the members above
};

}  // namespace sluice::inspect
