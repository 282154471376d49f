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

#include "inspect/match/engine.h"
#include "inspect/match/packet_view.h"
#include "inspect/match/payload_matcher.h"
#include "inspect/match/prefilter.h"
#include "inspect/match/reports.h"
#include "inspect/match/responses.h"
#include "inspect/match/tcp_inspection.h"
#include "inspect/stream/defrag.h"
#include "inspect/stream/flow_table.h"

namespace sluice::inspect {

// Alerts written for one packet; as in Suricata.
inline constexpr size_t kAlertsPerPacketMax = 15;

struct InspectorOptions {
  FlowTableOptions flows;
  StreamLimits stream;
  // Bytes that the streams of this worker may hold; over it packets that would add to them are
  // dropped.
  size_t stream_memory_max = 256u << 20;
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
  const PayloadMatcher& matcher() const { return matcher_; }
  const FragmentCounters& fragment_counters() const { return defragmenter_.counters(); }
  uint32_t flows() const { return flows_.size(); }

 private:
  enum class Decision : uint8_t { kInspect, kPass, kDrop };
  struct FlowUser {
    std::unique_ptr<TcpInspection> tcp;  // from the first payload on
    uint32_t initial_sequence[2] = {};
    bool syn_seen[2] = {};
    bool acknowledged[2] = {};               // the other end has taken that sequence number
    FlowState open_state = FlowState::kNew;  // the last one that was not closed
    bool established = false;                // at the packet before
    Decision decision = Decision::kInspect;
    bool alerted = false;
    bool drop_reported = false;
    bool error_reported = false;
  };
  using Flows = FlowTable<FlowUser>;

  struct Match {
    uint32_t rule;
    bool in_stream;
  };

  // Rules named by one scan, each once.
  class Candidates final : public CandidateSink {
   public:
    explicit Candidates(size_t rules) : seen_(rules, 0) { list_.reserve(rules); }
    void candidate(uint32_t rule) override {
      if (seen_[rule] == round_) return;
      seen_[rule] = round_;
      list_.push_back(rule);
    }
    void clear() {
      round_++;
      list_.clear();
    }
    const std::vector<uint32_t>& list() const { return list_; }

   private:
    std::vector<uint64_t> seen_;
    uint64_t round_ = 1;
    std::vector<uint32_t> list_;
  };

  // The packet in hand.
  struct Current {
    const PacketView& view;
    Flows::Record& flow;
    Direction direction;
    int64_t time_us;
    bool established;  // what flow:established asks

    Reports::About about() const { return {view, flow, direction, time_us}; }
    size_t side() const { return static_cast<size_t>(direction); }
  };

  Inspector(std::shared_ptr<const Engine> engine, const InspectorOptions& options, Sink& events);

  static bool established_for(const PacketView& view, Flows::Record& flow);
  Verdict inspect_view(const PacketView& view, int64_t time_us, Responses& responses);
  Verdict inspect_fragment(const PacketView& fragment, int64_t time_us, Responses& responses);
  static void note_handshake(const Current& current);
  StreamAccept inspect_stream(const Current& current);
  TcpInspection& tcp_of(FlowUser& user);
  void inspect_piece(const Current& current, StreamInspection& side,
                     std::span<const uint8_t> piece);
  bool matches_in_stream(const Current& current, StreamInspection& side, uint32_t index);
  void inspect_payload(const Current& current);
  void match_in_packet(const Current& current, uint32_t index);
  static bool header_matches(const Current& current, const Rule& rule);
  static bool addresses_match(const Current& current, const Rule& rule);

  Verdict conclude(const Current& current, Responses& responses);
  Verdict pass_by_rule(const Current& current, const Match& match);
  Verdict drop_by_rule(const Current& current, const Rule& rule, Responses& responses);
  Verdict drop_by_flow(const Current& current);
  Verdict drop_by_stream(const Current& current, StreamAccept why);
  Verdict drop_fragment(const PacketView& fragment, int64_t time_us, FragmentState why);
  static void keep_open(Flows::Record& flow);
  void on_flow_end(Flows::Record& flow, FlowEnd end);

  const std::shared_ptr<const Engine> engine_;
  const InspectorOptions options_;
  Reports reports_;
  PrefilterScratch scratch_;
  PayloadMatcher matcher_;
  Candidates candidates_;
  std::vector<Match> matched_;
  Defragmenter defragmenter_;
  bool fragment_error_reported_ = false;  // since the last tick
  StreamBudget budget_;
  StreamCounters stream_counters_;
  InspectorCounters counters_;
  int64_t now_us_ = 0;
  Flows flows_;  // last: its flows use the members above
};

}  // namespace sluice::inspect
