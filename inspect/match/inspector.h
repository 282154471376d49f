// SPDX-License-Identifier: Apache-2.0
// One worker's inspection: packets in, verdicts and EVE events out. No sockets, no threads, no
// clock.
//
// For every packet: its flow is found, its TCP payload joins the stream, Hyperscan names the rules
// that can match in the packet and in the new bytes of the stream, those are confirmed exactly, and
// the rules that matched act in their order. `drop` and `reject` hold for the rest of the flow.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "inspect/match/candidates.h"
#include "inspect/match/engine.h"
#include "inspect/match/flow_state.h"
#include "inspect/match/inspector_counters.h"
#include "inspect/match/prefilter.h"
#include "inspect/match/reports.h"
#include "inspect/match/rule_check.h"
#include "inspect/match/rule_profile.h"
#include "inspect/match/transaction_inspection.h"
#include "inspect/match/verdicts.h"
#include "inspect/stream/tunnel.h"

namespace sluice::inspect {

// A flow that is silent for so long gives back what memory it can do without.
inline constexpr int64_t kRestAfterUs = 2'000'000;

// Silent connections of which a packet takes memory when that is short.
inline constexpr uint32_t kCutPerPacketMax = 16;

// What a TCP connection takes beside the bytes that are kept of its streams: after its handshake,
// and again when it is encrypted; between two transactions of HTTP; and there, once it rests.
// flow_memory_test holds it to that.
inline constexpr size_t kFlowBytesMax = 384;
inline constexpr size_t kSessionBytesMax = 2560;
inline constexpr size_t kSilentSessionBytesMax = 768;

// As long as a round trip across half the world: who waits longer for an inspection notices.
inline constexpr int64_t kWaitMaxUs = 100'000;

struct InspectorOptions {
  FlowTableOptions flows;
  StreamLimits stream;
  DefragLimits defrag;
  // Bytes that the streams of this worker may hold; over it packets that would add to them are
  // dropped. Before it is reached those that have been silent longest cut their past.
  size_t stream_memory_max = 256u << 20;
  // Bytes of what is kept of its connections beside those, each from its first payload on.
  size_t session_memory_max = 1u << 30;
  // Bytes that parsers of application protocols may hold, of all flows and of one; over it the
  // protocol of the flow that asks is not followed any more.
  size_t app_memory_max = 256u << 20;
  size_t app_flow_memory_max = 8u << 20;
  HttpBodyLimits http_bodies{kBodyBytesMax, kBodyBytesMax};
  EventOptions events;
  // Alerts written for one packet.
  size_t alerts_per_packet_max = kAlertsPerPacketMax;
  // A client that goes on behind its SYN is in an established connection though the server was not
  // heard: its packets go another way.
  bool one_sided = false;
  ExceptionPolicies exceptions;
  // A packet that has waited longer before it was looked at is an exception: this machine cannot
  // keep up. Microseconds.
  int64_t wait_max_us = kWaitMaxUs;
  // Drop TCP segments with a wrong checksum. Not over a capture that was taken before its sender's
  // hardware had made them.
  bool verify_checksums = true;
  DefaultAction default_action = DefaultAction::kPass;
  LatencyOptions latency;
  // Keep a RuleProfile.
  bool profile = false;
  // Digests in "fileinfo" events.
  FileHashes file_hashes{};
};

// What an inspector has of its own for its engine, made before the engine is taken: it may fail.
struct InspectorParts {
  static Result<std::unique_ptr<InspectorParts>> make(const Engine& engine);
  PrefilterScratch scratch;
  std::unique_ptr<Classifier> classifier;  // nullptr: no rule asks
};

class Inspector {
 public:
  using Verdict = inspect::Verdict;

  // `events` must outlive the inspector.
  static Result<std::unique_ptr<Inspector>> create(std::shared_ptr<const Engine> engine,
                                                   const InspectorOptions& options, Sink& events);

  // Takes other rules between two packets: they were created with this one's engine as the
  // previous, and `parts` made for them, which get what is no longer needed. What is remembered
  // of flows, streams, transactions and counts goes on; a flow meets the rules with its next
  // packet, together with the bytes of it that are still held.
  void use(std::shared_ptr<const Engine> engine, InspectorParts& parts);

  // `ip` is a bare IP packet. `responses` is cleared, and filled when a reject rule matches.
  // `frame`: where it comes from, for events.
  Verdict inspect(std::span<const uint8_t> ip, int64_t time_us, Responses& responses,
                  const Frame& frame = {});

  // Ends idle flows and flushes events; about every 100 ms.
  void tick(int64_t time_us);
  // Ends all flows.
  void finish(int64_t time_us);

  const InspectorCounters& counters() const { return counters_; }
  const StreamCounters& stream_counters() const { return stream_counters_; }
  const FlowTableCounters& flow_counters() const { return flows_.counters(); }

  const BufferMatcher& matcher() { return check_.matcher(); }
  const TransactionCounters& transaction_counters() const { return transactions_.counters(); }
  const AlertLimits& alert_limits() const { return verdicts_.limits(); }
  const HostBits& host_bits() { return check_.host_bits(); }
  const ExceptionCounters& exception_counters() const { return verdicts_.exceptions(); }
  const Defragmenter& defragmenter() const { return defragmenter_; }
  // nullptr: there is no limit.
  const LatencyGuard* latency() const { return guard_ ? &*guard_ : nullptr; }
  // nullptr: not asked for.
  const RuleProfile* profile() const { return profile_ ? &*profile_ : nullptr; }
  uint32_t flows() const { return flows_.size(); }
  // Bytes that its table has taken.
  size_t flows_held() const { return flows_.memory(); }
  // Bytes that streams and transactions hold.
  size_t held() const { return budget_.used; }
  size_t held_max() const { return budget_.max; }
  // Bytes that application parsers hold, and the records of connections.
  size_t app_held() const { return app_budget_.used; }
  size_t sessions_held() const { return budget_.sessions; }
  size_t scratch_bytes() const { return scratch_.bytes(); }

 private:
  Inspector(std::shared_ptr<const Engine> engine, const InspectorOptions& options, Sink& events);

  bool established_for(const PacketView& view, Flows::Record& flow) const;
  Verdict inspect_ip(std::span<const uint8_t> ip, int64_t time_us, Responses& responses);
  Verdict drop_malformed(std::span<const uint8_t> ip, int64_t time_us, Responses& responses);
  Verdict refuse_fragment(const PacketView& fragment, int64_t time_us, FragmentState why,
                          Responses& responses);
  bool is_dropped_as_fragment(const PacketView& fragment, int64_t time_us, Responses& responses);
  bool is_dropped_by_matches(const Current& current, Responses& responses, KeptBack kept);
  bool asks_for_decode_events() const;
  bool is_dropped_as_no_packet(const PacketView& view, int64_t time_us, DecodeEvent event,
                               Responses& responses);
  void tell_header_events(const Current& current);
  static void count(ByProtocol& counters, const PacketView& view);
  void count_frame(size_t ip_length);
  void count_addresses(const PacketView& view);
  void count_tunnel(const PacketView& outer, const PacketView& inner);
  void count_flags(const PacketView& view);
  Verdict inspect_view(const PacketView& view, int64_t time_us, Responses& responses);
  Verdict inspect_inside(const PacketView& outer, const PacketView& inner, int64_t time_us);
  Verdict inspect_packet(const PacketView& view, int64_t time_us, Responses& responses);
  Verdict decide(Current& current, Responses& responses);
  Verdict after_wrong_checksum(const PacketView& view, int64_t time_us, Responses& responses);
  std::optional<Verdict> after_no_room(const Current& current, StreamAccept why,
                                       Responses& responses);
  std::optional<Verdict> after_wait(const Current& current, Responses& responses);
  StreamAccept inspect_tcp(const Current& current);
  void tell_stream_anomalies(const Current& current, StreamEvents events);
  Verdict after_conflict(const Current& current, Responses& responses);
  bool drop_by_stream_event(const Current& current, Responses& responses, KeptBack kept);
  StreamAccept refuse_out_of_place();
  bool exceeds_window(const Current& current, const StreamInspection& side) const;
  static bool app_fails(const Current& current);
  Verdict after_app_error(const Current& current, Verdict verdict, Responses& responses);
  void forget_if_decided(Flows::Record& flow);
  void end_application(Flows::Record& flow);
  Verdict inspect_fragment(const PacketView& fragment, int64_t time_us, Responses& responses);
  void note_frame(Flow& flow, Direction direction, const PacketView& view) const;
  void note_protocol(const Current& current, AppProtocol before, AppProtocol now);
  static void note_handshake(const Current& current);
  bool may_be_feigned(const PacketView& view, const Flows::Seen& seen) const;
  bool begins_midstream(const Current& current);
  static void note_acknowledgement(const Current& current, TcpInspection& tcp);
  StreamAccept inspect_stream(const Current& current);
  static void judge_reset(const Current& current);
  static bool believes_reset(const Current& current);
  static void note_sequence(const Current& current);
  Flows::Seen see(const PacketView& view, int64_t time_us, uint16_t space);
  void inspect_end_of_stream(const Current& current, StreamInspection& side);
  void inspect_datagram(const Current& current);
  // The packet in hand, in the other reading of its flow, as long as this lives.
  class OtherWay {
   public:
    OtherWay(const Current& current, TransactionInspection& transactions);
    ~OtherWay();
    OtherWay(const OtherWay&) = delete;
    OtherWay& operator=(const OtherWay&) = delete;
    const Current& current() const { return turned_; }

   private:
    const Current& current_;
    TransactionInspection& transactions_;
    Current turned_;
  };
  void begin_other_reading(FlowUser& user);
  void inspect_datagram_other_way(const Current& current);
  void inspect_piece_other_way(const Current& current, StreamInspection& side,
                               std::span<const uint8_t> piece);
  void search_what_is_held(const Current& current, StreamInspection& side);
  void inspect_payload_other_way(const Current& current);
  void settle_direction(Current& current);
  TcpInspection& tcp_of(FlowUser& user);
  AppSession& app_of(const Current& current);
  void inspect_piece(const Current& current, StreamInspection& side,
                     std::span<const uint8_t> piece);
  size_t search_piece(const Current& current, StreamInspection& side,
                      std::span<const uint8_t> piece);
  void ask_stream_rules(const Current& current, StreamInspection& side, size_t searched);
  void remember_candidates(const Current& current, StreamInspection& side);
  void try_pending(const Current& current, StreamInspection& side, size_t searched);
  void inspect_application(const Current& current, StreamInspection& side,
                           std::span<const uint8_t> piece);
  static void forget_what_meant_nothing(FlowUser& user);
  void stop_if_encrypted(FlowUser& user);
  // kNotAsked: it is about other packets, or not about this one yet. kRefused: its bytes hold, but
  // what rules have noted so far does not.
  enum class Tried : uint8_t { kNotAsked, kNo, kRefused, kYes };
  struct Refused {
    uint32_t rule;
    bool searched;        // else each piece calls it
    bool second_reading;  // of the flow
  };
  Tried try_in_stream(const Current& current, StreamInspection& side, uint32_t index);
  void note_missing(const StreamInspection& side, StreamInspection::Pending& pending, Tried tried);
  void note_fired(StreamInspection& side, const CompiledRule& compiled);
  void try_refused(const Current& current);
  void inspect_payload(const Current& current);
  void classify(const Current& current);
  void ask_address_rules(const Current& current);
  void ask_classification_rules(const Current& current);
  void match_in_packet(const Current& current, uint32_t index);
  static void rest(Flows::Record& flow);
  void relieve();
  void on_flow_end(Flows::Record& flow, FlowEnd end);

  std::shared_ptr<const Engine> engine_;
  const InspectorOptions options_;
  int64_t now_us_ = 0;
  // Of the packet in hand.
  const Frame* frame_ = nullptr;
  int depth_ = 0;                  // tunnels around it
  bool payload_searched_ = false;  // together with the bytes that it has added to its stream
  bool classified_ = false;        // nDPI has seen it
  std::vector<Refused> refused_;   // by what rules have noted before its end

  InspectorCounters counters_;
  Reports reports_;
  PrefilterScratch scratch_;
  Candidates candidates_;
  Candidates stream_candidates_;  // of the bytes that the packet in hand has added to its stream
  RuleCheck check_;
  Defragmenter defragmenter_;  // of packets by themselves and of those in tunnels
  StreamBudget budget_;
  AppBudget app_budget_;
  StreamCounters stream_counters_;
  const StreamPool streams_{options_.stream, budget_, stream_counters_};
  std::unique_ptr<Classifier> classifier_;  // nullptr: no rule asks
  std::optional<RuleProfile> profile_;
  std::optional<LatencyGuard> guard_;
  TransactionInspection transactions_;
  Verdicts verdicts_;
  Flows flows_;  // last: its flows use the members above
};

}  // namespace sluice::inspect
