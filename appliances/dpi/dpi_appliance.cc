// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/dpi_appliance.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "appliances/dpi/enforcer.h"
#include "appliances/dpi/events.h"
#include "appliances/dpi/fingerprints.h"
#include "appliances/dpi/mark.h"
#include "inspect/stream/defrag.h"
#include "inspect/stream/reject.h"

namespace sluice::dpi {

namespace {

using inspect::Classifier;
using inspect::FlowEnd;
using inspect::Policy;
using inspect::PolicyAction;
using inspect::Usage;
using sdk::Answer;

class Dpi final : public DpiAppliance {
 public:
  Dpi(const DpiOptions& options, std::unique_ptr<Classifier> classifier,
      std::shared_ptr<const Policy> policy, std::shared_ptr<DpiShared> shared, inspect::Sink& eve)
      : shadow_(options.shadow),
        classifier_(std::move(classifier)),
        shared_(std::move(shared)),
        enforcer_(shared_->meters),
        events_(eve, *classifier_, options.shadow, options.sensor_name),
        usage_(options.flows.key),
        flows_(options.flows, [this](DpiRecord& record, FlowEnd end) { flow_ended(record, end); }) {
    take_policy(std::move(policy));
  }

  Answer handle(sdk::Packet& packet, sdk::Injector& injector) override {
    advance(packet.time_us);
    tunnels::packet parsed;
    if (parse_ip_packet(packet.ip, parsed) != tunnels::kDropNone) {
      counters_.packets_malformed++;
      return shadow_ ? Answer::kReturn : Answer::kDrop;
    }
    std::span<const uint8_t> ip = packet.ip.first(parsed.l3_length);
    tunnels::packet shown = parsed;
    const bool fragment = parsed.flags & tunnels::kPacketFragment;
    if (fragment) {
      const auto answered = complete(ip, shown, packet.endpoint_id);
      if (answered) return *answered;
    }
    DpiRecord& record = *flows_.see(shown, now_us_).record;
    DpiFlow& flow = record.user;
    flow.endpoint_id = packet.endpoint_id;
    // An ICMP error shares the fate of the flow that it is about, and tells nothing about its
    // application.
    const bool about = parsed.flags & tunnels::kPacketIcmpError;
    if (!about) consider(record, ip, shown);
    if (fragment && flow.blocked() && !shadow_) fragments_.refuse(whole_);
    if (counts(record)) account(record);
    if (about && !flow.blocked()) return Answer::kReturn;
    return answer(record, packet, parsed, injector);
  }

  void tick(int64_t time_us) override {
    advance(time_us);
    flows_.expire(now_us_);
    events_.flush();
  }

  void send_late(int64_t time_us, sdk::Outbox& outbox) override {
    advance(time_us);
    expire_holds(outbox);
  }

  void finish(int64_t time_us) override {
    advance(time_us);
    flows_.end_all(FlowEnd::kShutdown);
    events_.stats(counters(), now_us_);
    events_.flush();
  }

  const inspect::DpiNames& names() const override { return classifier_->names(); }
  inspect::UsageReport usage() const override { return usage_.report(*classifier_); }
  DpiCounters counters() const override {
    DpiCounters counters = counters_;
    counters.flows = flows_.counters().created;
    counters.flows_known = flows_.size();
    counters.flows_evicted = flows_.counters().evicted;
    counters.bytes_held = pool_.bytes();
    return counters;
  }
  void set_policy(std::shared_ptr<const Policy> policy) override {
    take_policy(std::move(policy));
    counters_.policies++;
  }
  std::optional<FlowReport> report(const tunnels::tuple& tuple) override {
    const DpiRecord* record = flows_.find(tuple);
    if (record == nullptr) return std::nullopt;
    return report_of(*record, *classifier_, *policy_,
                     facts_of(*record, record->user.classification.final()));
  }

 private:
  // Each flow refers to the policy of its decision. The count of these references is this worker's
  // own, so that workers do not share a word with every new flow.
  void take_policy(std::shared_ptr<const Policy> policy) {
    const Policy* shown = policy.get();
    const auto owner = std::make_shared<std::shared_ptr<const Policy>>(std::move(policy));
    policy_ = std::shared_ptr<const Policy>(owner, shown);
    minute_ = -1;
    advance(now_us_);
  }

  void advance(int64_t time_us) {
    now_us_ = std::max(now_us_, time_us);
    if (now_us_ / 60'000'000 == minute_) return;
    minute_ = now_us_ / 60'000'000;
    civil_ = civil_minute(now_us_, policy_->zone());
    schedules_ = policy_->schedules_at(civil_);
  }

  inspect::PolicyFacts facts_of(const DpiRecord& record, bool final) const {
    const inspect::FlowClassification& known = record.user.classification;
    return {known.application(),
            known.findings(),
            final,
            {record.to_server.source, record.to_server.version},
            record.user.endpoint_id,
            schedules_};
  }

  // Fragments wait for nobody: all but the one that completes the datagram pass, and that one
  // shares the verdict on the whole, which becomes `ip`.
  std::optional<Answer> complete(std::span<const uint8_t>& ip, tunnels::packet& parsed,
                                 uint64_t endpoint_id) {
    whole_ = fragments_.add(ip, parsed, now_us_, endpoint_id);
    if (whole_.state == inspect::FragmentState::kHeld) return Answer::kReturn;
    if (whole_.state == inspect::FragmentState::kComplete) {
      ip = whole_.datagram;
      if (parse_ip_packet(ip, parsed) == tunnels::kDropNone &&
          !(parsed.flags & tunnels::kPacketFragment))
        return std::nullopt;
      if (!shadow_) fragments_.refuse(whole_);
    }
    counters_.fragments_refused++;
    return shadow_ ? Answer::kReturn : Answer::kDrop;
  }

  // Feeds the classifier, and decides again when there is a reason to.
  void consider(DpiRecord& record, std::span<const uint8_t> ip, const tunnels::packet& parsed) {
    DpiFlow& flow = record.user;
    if (flow.blocked()) return;
    bool learned = classifier_->feed(flow.classification, ip, parsed, now_us_);
    learned |= fingerprints_.show(record, ip, parsed);
    if (learned || flow.policy != policy_ || flow.schedules != schedules_) decide(record, ip);
  }

  void decide(DpiRecord& record, std::span<const uint8_t> ip) {
    DpiFlow& flow = record.user;
    const inspect::Application& application = flow.classification.application();
    const bool found = application.application != 0 || application.master != 0;
    // A held flow is decided by what is known as soon as there is an application: its answer is
    // held back with it, and would never come.
    const bool final = flow.classification.final() || (holding(flow) && found);
    const inspect::PolicyDecision decision = policy_->decide(facts_of(record, final));
    flow.known = decision.settled || found;
    if (flow.rule == nullptr || flow.rule->identity != decision.rule->identity) {
      flow.bucket = 0;
      flow.limit_told = flow.quota_told = false;
    }
    flow.rule = decision.rule;
    if (flow.policy != policy_) flow.steps.clear();  // their rules may go with the old policy
    flow.policy = policy_;
    flow.schedules = schedules_;
    note_step(record, application);
    if (decision.action().blocks()) block(record, ip, decision.action().kind, "policy");
  }

  void note_step(DpiRecord& record, const inspect::Application& application) {
    DpiFlow& flow = record.user;
    if (!flow.steps.empty() && flow.steps.back().application == application &&
        flow.steps.back().rule == flow.rule)
      return;
    if (flow.steps.size() >= kFlowStepsMax) flow.steps.erase(flow.steps.begin());
    flow.steps.push_back({record.packets[0] + record.packets[1], application, flow.rule});
  }

  void block(DpiRecord& record, std::span<const uint8_t> ip, PolicyAction verdict,
             std::string_view by) {
    record.user.verdict = verdict;
    record.user.blocked_by = by;
    counters_.flows_blocked++;
    // The connection is over: a SYN with the same tuple starts a new flow.
    if (!shadow_) record.tcp_flags[0] |= tunnels::kTcpRst;
    events_.drop(record, ip, by, now_us_);
    account(record);
  }

  Answer answer(DpiRecord& record, sdk::Packet& packet, const tunnels::packet& parsed,
                sdk::Injector& injector) {
    DpiFlow& flow = record.user;
    const std::span<uint8_t> ip = packet.ip.first(parsed.l3_length);
    if (must_hold(flow, ip, parsed) && hold(record, ip, injector)) return Answer::kDrop;
    if (flow.holds()) release(record, [&](std::span<uint8_t> held) { injector.inject(held); });
    if (covered(record, ip)) {
      if (!shadow_ && flow.rule != nullptr && flow.rule->action.kind == PolicyAction::kSteer) {
        packet.hint = flow.rule->action.hint;
        counters_.packets_steered++;
      }
      return Answer::kReturn;
    }
    if (shadow_) return Answer::kReturn;
    if (flow.verdict == PolicyAction::kReject) reject(ip, parsed, injector);
    return Answer::kDrop;
  }

  // Whether the packet may go on; marks it if the rule says so. What may not is counted.
  bool covered(DpiRecord& record, std::span<uint8_t> ip) {
    DpiFlow& flow = record.user;
    if (!flow.blocked() && flow.rule != nullptr) {
      const auto bytes = static_cast<uint32_t>(ip.size());
      switch (enforcer_.charge(record, bytes, now_us_, civil_)) {
        case Coverage::kCovered:
          if (!shadow_ && flow.rule->action.kind == PolicyAction::kMark) {
            set_dscp(ip, flow.rule->action.dscp);
            counters_.packets_marked++;
          }
          return true;
        case Coverage::kOverLimit:
          flow.packets_limited++;
          counters_.packets_limited++;
          tell(record, ip, "limit", flow.limit_told);
          return false;
        case Coverage::kOverQuota:
          flow.packets_over_quota++;
          counters_.packets_over_quota++;
          tell(record, ip, "quota", flow.quota_told);
          return false;
        case Coverage::kOverQuotaReject:
          block(record, ip, PolicyAction::kReject, "quota");
          break;
      }
    }
    if (!flow.blocked()) return true;
    flow.packets_blocked++;
    counters_.packets_blocked++;
    return false;
  }

  void tell(DpiRecord& record, std::span<const uint8_t> ip, std::string_view reason, bool& told) {
    if (!std::exchange(told, true)) events_.drop(record, ip, reason, now_us_);
  }

  void reject(std::span<const uint8_t> ip, const tunnels::packet& parsed, sdk::Injector& injector) {
    std::array<uint8_t, inspect::kRejectLengthMax> answer;
    for (const auto write : {inspect::reject_to_sender, inspect::reject_to_receiver})
      if (const size_t length = write(ip, parsed, answer)) injector.inject({answer.data(), length});
  }

  bool holding(const DpiFlow& flow) const {
    return policy_->hold().bytes != 0 && !shadow_ && !flow.hold_over;
  }
  // From the first payload on everything, so that nothing overtakes.
  bool must_hold(const DpiFlow& flow, std::span<const uint8_t> ip,
                 const tunnels::packet& parsed) const {
    return holding(flow) && !flow.known && !flow.blocked() &&
           (flow.holds() || has_payload(ip, parsed));
  }

  int64_t hold_us() const { return int64_t{policy_->hold().milliseconds} * 1000; }

  // False if the flow's time or room is used up: then the fallback decides about it.
  bool hold(DpiRecord& record, std::span<const uint8_t> ip, const sdk::Injector& injector) {
    DpiFlow& flow = record.user;
    if (flow.held == nullptr) flow.held = std::make_unique<HeldPackets>();
    const bool first = flow.held->empty();
    const bool expired = !first && now_us_ - flow.held->since_us() >= hold_us();
    const bool room = !first || holds_.size() < kHoldFlowsMax;
    if (!expired && room && pool_.keep(*flow.held, ip, policy_->hold().bytes, now_us_)) {
      counters_.packets_held++;
      if (first) begin_hold(record, injector);
      return true;
    }
    end_hold(record, ip, expired);
    return false;
  }

  void begin_hold(DpiRecord& record, const sdk::Injector& injector) {
    counters_.flows_held++;
    record.user.held->origin = injector.origin();
    holds_.push_back({record.to_server, now_us_});
  }

  // Flows that get no further packet in time.
  void expire_holds(sdk::Outbox& outbox) {
    for (; !holds_.empty() && now_us_ - holds_.front().since_us >= hold_us(); holds_.pop_front()) {
      DpiRecord* record = flows_.find(holds_.front().to_server);
      if (record == nullptr || !record->user.holds() ||
          record->user.held->since_us() != holds_.front().since_us)
        continue;
      end_hold(*record, record->user.held->first(), true);
      const sdk::Origin origin = record->user.held->origin;
      release(*record, [&](std::span<uint8_t> ip) { outbox.send(origin, ip); });
    }
  }

  void end_hold(DpiRecord& record, std::span<const uint8_t> ip, bool expired) {
    (expired ? counters_.holds_expired : counters_.holds_overflowed)++;
    record.user.hold_over = true;
    const inspect::PolicyRule& fallback = policy_->fallback();
    if (!fallback.action.blocks()) return;
    record.user.policy = policy_;
    record.user.rule = &fallback;
    block(record, ip, fallback.action.kind, "hold");
  }

  // Sends on what its rule covers.
  template <class Send>
  void release(DpiRecord& record, const Send& send) {
    pool_.release(*record.user.held, [&](std::span<uint8_t> ip) {
      if (covered(record, ip)) send(ip);
    });
    record.user.held.reset();
  }

  void flow_ended(DpiRecord& record, FlowEnd end) {
    if (record.user.holds()) pool_.discard(*record.user.held);
    classifier_->finish(record.user.classification, record.to_server);
    account(record);
    events_.flow(record, end, now_us_);
  }

  // Once the application is known for good: at once, when the connection closes (its record stays
  // for a while), and now and then.
  bool counts(const DpiRecord& record) const {
    const DpiFlow& flow = record.user;
    if (!flow.classification.final() && !flow.blocked()) return false;
    return flow.accounted.at_us == 0 || record.state == inspect::FlowState::kClosed ||
           Usage::due(record, flow.accounted, now_us_);
  }

  void account(DpiRecord& record) {
    DpiFlow& flow = record.user;
    usage_.account(record, flow.classification.application(), flow.blocked(), flow.packets_lost(),
                   flow.accounted);
  }

  const bool shadow_;
  std::unique_ptr<Classifier> classifier_;
  std::shared_ptr<const Policy> policy_;
  std::shared_ptr<DpiShared> shared_;
  Enforcer enforcer_;
  Events events_;
  struct Hold {
    tunnels::tuple to_server;
    int64_t since_us;
  };
  HoldPool pool_;
  std::deque<Hold> holds_;  // oldest first; of flows that may have been let go since
  DpiCounters counters_;
  Fingerprints fingerprints_{counters_};
  Usage usage_;
  int64_t now_us_ = 0;
  int64_t minute_ = -1;
  inspect::CivilMinute civil_;
  uint64_t schedules_ = 0;  // active in this minute
  inspect::Defragmenter fragments_;
  inspect::Defragmenter::Added whole_;  // the datagram of the packet in hand
  DpiFlows flows_;
};

}  // namespace

Result<std::unique_ptr<DpiAppliance>> make_dpi(const DpiOptions& options,
                                               std::shared_ptr<DpiShared> shared,
                                               inspect::Sink& eve) {
  SLUICE_TRY(auto classifier, Classifier::create(options.lists));
  auto policy = std::make_shared<Policy>();
  if (!options.policy_file.empty()) {
    SLUICE_TRY(*policy, Policy::load(options.policy_file, classifier->names()));
  }
  return std::make_unique<Dpi>(options, std::move(classifier), std::move(policy), std::move(shared),
                               eve);
}

Result<std::unique_ptr<DpiAppliance>> make_dpi(const DpiOptions& options, inspect::Sink& eve) {
  return make_dpi(options, std::make_shared<DpiShared>(), eve);
}

}  // namespace sluice::dpi
