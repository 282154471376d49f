// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/inspector.h"

#include <algorithm>
#include <utility>

#include "inspect/stream/header_events.h"
#include "inspect/stream/segment_checksum.h"

namespace sluice::inspect {
namespace {

// As in Suricata, the same addresses in another VLAN are other hosts, and so they are in a tunnel:
// who sends packets through one cannot add to a connection outside. Of frames with two tags the
// numbers may fall together, of others they do not.
uint16_t space_of(const uint16_t (&vlans)[2], int depth) {
  return static_cast<uint16_t>(vlans[0] * 15 + vlans[1] - depth);
}

InspectorOptions complete(InspectorOptions options) {
  options.stream.one_sided = options.one_sided;
  return options;
}

FlowTableOptions by_port(FlowTableOptions options) {
  options.server_by_port = true;
  return options;
}

// Takes the rules that came after a generation.
struct Newer final : CandidateSink {
  const Engine& engine;
  uint32_t generation;
  CandidateSink& newer;

  Newer(const Engine& of, uint32_t than, CandidateSink& to)
      : engine(of), generation(than), newer(to) {}
  void candidate(uint32_t rule) override {
    if (engine.rule(rule).since > generation) newer.candidate(rule);
  }
};

// Why the protocol of a flow is not inspected as it should be.
ExceptionCause app_cause(const Current& current) {
  const FlowUser& user = current.flow.user;
  return user.lacks_memory || user.app->out_of_memory() ? ExceptionCause::kAppMemory
                                                        : ExceptionCause::kAppError;
}

}  // namespace

Result<std::unique_ptr<Inspector>> Inspector::create(std::shared_ptr<const Engine> engine,
                                                     const InspectorOptions& options,
                                                     Sink& events) {
  std::unique_ptr<Inspector> inspector(new Inspector(std::move(engine), options, events));
  SLUICE_TRY(const auto parts, InspectorParts::make(*inspector->engine_));
  inspector->scratch_.swap(parts->scratch);
  inspector->classifier_ = std::move(parts->classifier);
  return inspector;
}

Inspector::Inspector(std::shared_ptr<const Engine> engine, const InspectorOptions& options,
                     Sink& events)
    : engine_(std::move(engine)),
      options_(complete(options)),
      reports_(events, options.events),
      candidates_(engine_->size()),
      stream_candidates_(engine_->size()),
      check_(*engine_),
      defragmenter_(options.defrag),
      transactions_(*engine_, check_, candidates_, scratch_, budget_, reports_, options.file_hashes,
                    options.http_bodies),
      verdicts_(*engine_, reports_, counters_, options.alerts_per_packet_max, options.exceptions,
                options.default_action),
      flows_(by_port(options.flows),
             [this](Flows::Record& flow, FlowEnd end) { on_flow_end(flow, end); }) {
  budget_.max = options.stream_memory_max;
  budget_.sessions_max = options.session_memory_max;
  app_budget_.max = options.app_memory_max;
  app_budget_.flow_max = options.app_flow_memory_max;
  reports_.set_names(engine_->names());
  check_.set_verified(options.verify_checksums);
  if (options.latency.max_us != 0) check_.set_guard(&guard_.emplace(options.latency));
  if (options.profile) check_.set_profile(&profile_.emplace(engine_->size()));
}

Result<std::unique_ptr<InspectorParts>> InspectorParts::make(const Engine& engine) {
  auto parts = std::make_unique<InspectorParts>();
  SLUICE_TRY_VOID(engine.prepare(parts->scratch));
  if (engine.asks_for_classification()) {
    SLUICE_TRY(parts->classifier, Classifier::create());
  }
  return parts;
}

void Inspector::use(std::shared_ptr<const Engine> engine, InspectorParts& parts) {
  SLUICE_CHECK(engine->generation() > engine_->generation());
  scratch_.swap(parts.scratch);
  // Flows go on with what they have begun with.
  if (!classifier_) classifier_ = std::move(parts.classifier);
  candidates_ = Candidates(engine->size());
  stream_candidates_ = Candidates(engine->size());
  check_.use(*engine);
  transactions_.use(*engine);
  verdicts_.use(*engine);
  reports_.set_names(engine->names());
  if (profile_) check_.set_profile(&profile_.emplace(engine->size()));
  engine_ = std::move(engine);
}

Verdict Inspector::inspect_packet(const PacketView& view, int64_t time_us, Responses& responses) {
  if (options_.verify_checksums && view.is_tcp() && !has_right_checksum(view))
    return after_wrong_checksum(view, time_us, responses);
  if (budget_.is_short()) relieve();
  const uint16_t space = space_of(frame_->vlans, depth_);
  if (flows_.is_full_of_established(time_us) && flows_.find(view.packet.tuple, space) == nullptr) {
    if (const auto verdict = verdicts_.except_new_flow(view, time_us, responses)) return *verdict;
  }
  count_flags(view);
  const auto seen = see(view, time_us, space);
  if (seen.created) count(counters_.flows, view);
  if (may_be_feigned(view, seen)) seen.record->user.unanswered = true;
  note_frame(*seen.record, seen.direction, view);
  const auto* quoted = view.quoted ? flows_.find(*view.quoted, space) : nullptr;
  Current current{view,
                  *seen.record,
                  seen.direction,
                  time_us,
                  established_for(view, *seen.record),
                  quoted != nullptr && !quoted->user.default_dropped,
                  asks_for_decode_events() ? header_events_of(view) : DecodeEvents{}};
  const Decision decision = seen.record->user.decision;
  if (decision == Decision::kDrop ||
      (quoted != nullptr && quoted->user.decision == Decision::kDrop))
    return verdicts_.drop_by_flow(current);
  if (seen.record->state != FlowState::kClosed) seen.record->user.open_state = seen.record->state;
  if (decision == Decision::kPass) {
    note_sequence(current);
    judge_reset(current);
    counters_.passed_by_flow++;
    return Verdict::kPass;
  }
  const Verdict verdict = decide(current, responses);
  forget_if_decided(*seen.record);
  return verdict;
}

Verdict Inspector::decide(Current& current, Responses& responses) {
  const PacketView& view = current.view;
  if (begins_midstream(current)) {
    if (const auto verdict = verdicts_.except(current, ExceptionCause::kMidstream, responses))
      return *verdict;
  }
  if (const auto verdict = after_wait(current, responses)) return *verdict;
  check_.begin_packet();
  tell_header_events(current);
  transactions_.begin(&current);
  payload_searched_ = false;
  refused_.clear();
  classified_ = false;
  current.second_reading = current.flow.user.is_second;
  if (view.is_tcp()) {
    const StreamAccept accepted = inspect_tcp(current);
    judge_reset(current);
    if (accepted == StreamAccept::kConflict) return after_conflict(current, responses);
    if (accepted != StreamAccept::kOk) {
      if (const auto verdict = after_no_room(current, accepted, responses)) return *verdict;
    }
    note_sequence(current);
  } else if (view.is_udp()) {
    inspect_datagram(current);
    inspect_datagram_other_way(current);
  }
  inspect_payload(current);
  inspect_payload_other_way(current);
  if (!refused_.empty()) try_refused(current);
  settle_direction(current);
  const KeptBack kept_back = app_fails(current) && verdicts_.keeps_back(app_cause(current))
                                 ? KeptBack::kUnlessFlowPasses
                                 : KeptBack::kNo;
  transactions_.tell_matches();
  const Verdict verdict = verdicts_.conclude(current, check_.matches(), responses, kept_back);
  return app_fails(current) ? after_app_error(current, verdict, responses) : verdict;
}

// No receiver takes it, so it begins no flow and is none's; rules may speak of it as if it were. A
// flood of such packets costs nothing more where none does.
Verdict Inspector::after_wrong_checksum(const PacketView& view, int64_t time_us,
                                        Responses& responses) {
  if (engine_->stream_event_rules().empty()) return verdicts_.drop_by_checksum(view, time_us);
  Flows::Record none;
  none.to_server = view.packet.tuple;
  Flows::Record* const known = flows_.find(view.packet.tuple, space_of(frame_->vlans, depth_));
  Flows::Record& flow = known != nullptr ? *known : none;
  const bool up = flow.has_tuple(view.packet.tuple, Direction::kToServer);
  const Current current{view, flow, up ? Direction::kToServer : Direction::kToClient, time_us,
                        flow.user.established};
  check_.begin_packet();
  transactions_.begin(&current);
  if (flow.user.decision == Decision::kInspect &&
      drop_by_stream_event(current, responses, KeptBack::kYes))
    return Verdict::kDrop;
  return verdicts_.drop_by_checksum(view, time_us);
}

// Rules may speak of it; what they let pass is judged by the policy. What passes then may have been
// taken, whether it was put in order or not.
std::optional<Verdict> Inspector::after_no_room(const Current& current, StreamAccept why,
                                                Responses& responses) {
  const ExceptionCause cause = why == StreamAccept::kNoSession ? ExceptionCause::kSessionMemory
                                                               : ExceptionCause::kStreamMemory;
  const KeptBack kept = verdicts_.keeps_back(cause) ? KeptBack::kYes : KeptBack::kNo;
  if (options_.exceptions[cause] != ExceptionPolicy::kIgnore &&
      drop_by_stream_event(current, responses, kept))
    return Verdict::kDrop;
  const auto verdict = verdicts_.except(current, cause, responses);
  if (verdict == Verdict::kPass) note_sequence(current);
  return verdict;
}

// What passes without a look still says how far its connection has come, and what of the other
// direction has arrived: its sender does not say that again.
std::optional<Verdict> Inspector::after_wait(const Current& current, Responses& responses) {
  if (frame_->waited_us <= options_.wait_max_us) return std::nullopt;
  const auto verdict = verdicts_.except(current, ExceptionCause::kOverload, responses);
  if (verdict == Verdict::kPass && current.view.is_tcp()) {
    note_handshake(current);
    note_sequence(current);
    judge_reset(current);
    TcpInspection* const tcp = current.flow.user.tcp.get();
    if (tcp != nullptr) note_acknowledgement(current, *tcp);
  }
  return verdict;
}

// Rules may speak of it, and tell the ends; the packet stays here anyway.
Verdict Inspector::after_conflict(const Current& current, Responses& responses) {
  if (drop_by_stream_event(current, responses, KeptBack::kYes)) return Verdict::kDrop;
  return verdicts_.drop_by_conflict(current);
}

// True if rules about what it does to its stream drop it; else it counts as nothing yet.
bool Inspector::drop_by_stream_event(const Current& current, Responses& responses, KeptBack kept) {
  Current only = current;
  only.second_reading = false;  // no other reading is asked here
  const bool up = current.direction == Direction::kToServer;
  for (const uint32_t index : engine_->stream_event_rules()) {
    const Rule& rule = engine_->rule(index).rule;
    const bool goes = up ? !rule.flow.to_client : !rule.flow.to_server;
    if (goes && Engine::is_about(rule, current.view.packet.tuple.protocol))
      match_in_packet(only, index);
  }
  transactions_.tell_matches();
  return is_dropped_by_matches(current, responses, kept);
}

// Once for each flow.
bool Inspector::app_fails(const Current& current) {
  const FlowUser& user = current.flow.user;
  return user.app && (user.app->failed() || user.lacks_memory) &&
         user.decision == Decision::kInspect && !user.app_error_seen;
}

// The rules come first; what they let pass is judged by the policy.
Verdict Inspector::after_app_error(const Current& current, Verdict verdict, Responses& responses) {
  current.flow.user.app_error_seen = true;
  const ExceptionCause cause = app_cause(current);
  AppCounters& counted = counters_.app(current.flow.user.app->protocol(), current.flow.is_tcp());
  (cause == ExceptionCause::kAppMemory ? counted.no_memory : counted.parser_errors)++;
  if (verdict != Verdict::kPass) return verdict;
  const auto exception = verdicts_.except(current, cause, responses);
  if (!exception) return verdict;
  counters_.passed--;  // as which the rules have counted it
  return *exception;
}

// A flow that is decided is not looked into any more; what is known of its transactions is logged.
void Inspector::forget_if_decided(Flows::Record& flow) {
  if (flow.user.decision == Decision::kInspect) return;
  end_application(flow);
  flow.user.tcp.reset();
  flow.user.app.reset();
  flow.user.other.reset();
}

// A capture tells more of a packet than its IP header.
void Inspector::note_frame(Flow& flow, Direction direction, const PacketView& view) const {
  const auto side = static_cast<size_t>(direction);
  if (frame_->length > view.packet.l3_length)
    flow.bytes[side] += frame_->length - view.packet.l3_length;
  if (flow.packets[0] + flow.packets[1] == 1) std::ranges::copy(frame_->vlans, flow.vlans);
  const auto kind = view.is_icmp() ? icmp_kind(view) : std::nullopt;
  if (kind && flow.packets[side] == 1) {
    flow.icmp_type[side] = kind->type;
    flow.icmp_code[side] = kind->code;
  }
}

// As in Suricata, the bare ACK that ends the handshake is not yet in the established connection.
// Data in that segment is: nobody can hide it there.
bool Inspector::established_for(const PacketView& view, Flows::Record& flow) const {
  const bool before = flow.user.established;
  const bool goes_on =
      (view.packet.tcp_flags & (tunnels::kTcpSyn | tunnels::kTcpAck)) == tunnels::kTcpAck;
  flow.user.established =
      flow.was_established() || (options_.one_sided && view.is_tcp() && (before || goes_on));
  return view.is_tcp() && view.payload.empty() ? before : flow.user.established;
}

// --- the packet ---

void Inspector::inspect_payload(const Current& current) {
  const PacketView& view = current.view;
  const PortGroups& groups = engine_->packet_groups(view.packet.tuple.protocol, current.direction);
  const bool search = !payload_searched_ && !view.payload.empty() && !current.flow.user.encrypted;
  candidates_.clear();
  if (payload_searched_) {
    for (const uint32_t index : stream_candidates_.sorted()) {
      if (engine_->rule(index).rule.scope != Scope::kStream) candidates_.candidate(index);
    }
  }
  for (const RuleGroup* group : {&groups.any(), groups.named(current.server_port())}) {
    if (group == nullptr) continue;
    if (group->prefilter && search) group->prefilter->scan(view.payload, scratch_, candidates_);
    group->call_always(view.payload.size(), [&](uint32_t index) { candidates_.candidate(index); });
  }
  FlowUser& user = current.flow.user;
  const uint32_t asked = user.asked[current.side()];
  const uint32_t asked_classified = user.asked_classified[current.side()];
  ask_address_rules(current);
  if (classifier_) ask_classification_rules(current);
  for (const uint32_t index : candidates_.sorted()) match_in_packet(current, index);
  if (!guard_ || !guard_->over()) return;
  user.asked[current.side()] = asked;
  user.asked_classified[current.side()] = asked_classified;
}

// Once for each direction of a flow, and again about those that a reload brought.
void Inspector::ask_address_rules(const Current& current) {
  uint32_t& asked = current.flow.user.asked[current.side()];
  if (asked == engine_->generation()) return;
  Newer newer(*engine_, std::exchange(asked, engine_->generation()), candidates_);
  const tunnels::tuple& t = current.view.packet.tuple;
  engine_->address_rules(t.protocol, current.direction)
      .find({t.source, t.version}, {t.destination, t.version}, newer);
}

// Shows the packet to nDPI, once. That comes before its bytes are parsed, so that rules about them
// know what nDPI says; and not at all if it is no part of its stream.
void Inspector::classify(const Current& current) {
  if (!classifier_ || std::exchange(classified_, true)) return;
  FlowUser& user = current.flow.user;
  if (!user.classification) user.classification = std::make_unique<FlowClassification>();
  if (classifier_->feed(*user.classification, current.view.ip, current.view.packet,
                        current.time_us))
    user.asked_classified = {};
}

// Once for each direction when nDPI has learned something, and again about those that a reload
// brought.
void Inspector::ask_classification_rules(const Current& current) {
  classify(current);
  FlowUser& user = current.flow.user;
  if (std::exchange(user.asked_established, current.established) != current.established)
    user.asked_classified = {};
  uint32_t& asked = user.asked_classified[current.side()];
  if (asked == engine_->generation() || user.classification->application().application == 0) return;
  Newer newer(*engine_, std::exchange(asked, engine_->generation()), candidates_);
  const bool up = current.direction == Direction::kToServer;
  for (const uint32_t index : engine_->classification_rules()) {
    const FlowOption& flow = engine_->rule(index).rule.flow;
    if (up ? !flow.to_client : !flow.to_server) newer.candidate(index);
  }
}

void Inspector::match_in_packet(const Current& current, uint32_t index) {
  const CompiledRule& compiled = engine_->rule(index);
  if (!check_.asks_for(current, current.direction, compiled, nullptr)) return;
  const bool holds = check_.packet_matches(current, compiled);
  check_.tried(index, holds);
  if (!holds) return;
  check_.matched(current, {index}, nullptr);
}

}  // namespace sluice::inspect
