// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/dpi_appliance.h"

#include <algorithm>
#include <array>
#include <utility>

#include "inspect/dpi/classifier.h"
#include "inspect/dpi/ndpi_event.h"
#include "inspect/dpi/policy.h"
#include "inspect/eve/event.h"
#include "inspect/eve/json_line.h"
#include "inspect/stream/reject.h"

namespace sluice::dpi {

namespace {

using inspect::Classifier;
using inspect::FlowEnd;
using inspect::Policy;
using inspect::PolicyAction;
using inspect::Usage;
using sdk::Answer;

struct DpiFlow {
  inspect::FlowClassification classification;
  std::shared_ptr<const Policy> policy;  // whose decision it is
  inspect::PolicyDecision decision{PolicyAction::kAllow, "undecided"};
  inspect::Accounted accounted;
  uint64_t packets_blocked = 0;

  bool blocked() const { return decision.action != PolicyAction::kAllow; }
};

class Dpi final : public DpiAppliance {
 public:
  Dpi(const DpiOptions& options, std::unique_ptr<Classifier> classifier,
      std::shared_ptr<const Policy> policy, inspect::Sink& eve)
      : classifier_(std::move(classifier)),
        policy_(std::move(policy)),
        eve_(eve),
        usage_(options.flows.key),
        flows_(options.flows, [this](Record& record, FlowEnd end) { flow_ended(record, end); }) {}

  Answer handle(sdk::Packet& packet, sdk::Injector& injector) override {
    now_us_ = std::max(now_us_, packet.time_us);
    tunnels::packet parsed;
    if (parse_ip_packet(packet.ip, parsed) != tunnels::kDropNone) {
      counters_.malformed++;
      return Answer::kDrop;
    }
    const std::span<const uint8_t> ip = packet.ip.first(parsed.l3_length);
    Record& record = *flows_.see(parsed, now_us_).record;
    // An ICMP error shares the fate of the flow that it is about, and tells nothing about its
    // application.
    if (!record.user.blocked() && !(parsed.flags & tunnels::kPacketIcmpError))
      classify(record, ip, parsed);
    const bool settled = record.user.classification.final() || record.user.blocked();
    if (settled && Usage::due(record.user.accounted, now_us_)) account(record);
    if (!record.user.blocked()) return Answer::kReturn;
    block(record, ip, parsed, injector);
    return Answer::kDrop;
  }

  void tick(int64_t time_us) override {
    now_us_ = std::max(now_us_, time_us);
    flows_.expire(now_us_);
    eve_.flush();
  }

  void finish(int64_t time_us) override {
    now_us_ = std::max(now_us_, time_us);
    flows_.end_all(FlowEnd::kShutdown);
    write_stats();
    eve_.flush();
  }

  const inspect::DpiNames& names() const override { return classifier_->names(); }
  inspect::UsageReport usage() const override { return usage_.report(*classifier_); }
  DpiCounters counters() const override {
    DpiCounters counters = counters_;
    counters.flows = flows_.counters().created;
    counters.flows_known = flows_.size();
    counters.flows_evicted = flows_.counters().evicted;
    return counters;
  }
  void set_policy(std::shared_ptr<const Policy> policy) override {
    policy_ = std::move(policy);
    counters_.policies++;
  }

 private:
  using Flows = inspect::FlowTable<DpiFlow>;
  using Record = Flows::Record;

  void classify(Record& record, std::span<const uint8_t> ip, const tunnels::packet& parsed) {
    DpiFlow& flow = record.user;
    const bool learned = classifier_->feed(flow.classification, ip, parsed, now_us_);
    if (!learned && (flow.policy == nullptr || flow.policy == policy_)) return;
    flow.policy = policy_;
    flow.decision = policy_->decide(flow.classification.application(), flow.classification.final());
    if (!flow.blocked()) return;
    counters_.flows_blocked++;
    // The connection is over: a SYN with the same tuple starts a new flow.
    record.tcp_flags[0] |= tunnels::kTcpRst;
    inspect::begin_event(line_, now_us_, "drop", record.id, parsed.tuple);
    inspect::write_drop(line_, static_cast<uint32_t>(ip.size()), "policy");
    write_ndpi(line_, *classifier_, flow.classification);
    write_verdict(flow);
    eve_.write(line_.finish());
  }

  void block(Record& record, std::span<const uint8_t> ip, const tunnels::packet& parsed,
             sdk::Injector& injector) {
    record.user.packets_blocked++;
    counters_.packets_blocked++;
    if (record.user.decision.action != PolicyAction::kReject) return;
    std::array<uint8_t, inspect::kRejectLengthMax> answer;
    for (const auto reject : {inspect::reject_to_sender, inspect::reject_to_receiver})
      if (const size_t length = reject(ip, parsed, answer))
        injector.inject({answer.data(), length});
  }

  void flow_ended(Record& record, FlowEnd end) {
    classifier_->finish(record.user.classification);
    account(record);
    inspect::begin_event(line_, now_us_, "flow", record.id, record.to_server);
    inspect::write_ended_flow(line_, record, end);
    write_ndpi(line_, *classifier_, record.user.classification);
    write_verdict(record.user);
    eve_.write(line_.finish());
  }

  void account(Record& record) {
    DpiFlow& flow = record.user;
    usage_.account(record, flow.classification.application(), flow.blocked(), flow.packets_blocked,
                   flow.accounted);
  }

  void write_verdict(const DpiFlow& flow) {
    line_.open("verdict");
    line_.string("action", policy_action_name(flow.decision.action));
    line_.string("rule", flow.decision.rule);
    if (flow.packets_blocked != 0) line_.unsigned_number("pkts_blocked", flow.packets_blocked);
    line_.close();
  }

  void write_stats() {
    const DpiCounters now = counters();
    inspect::begin_event(line_, now_us_, "stats", 0, {});
    line_.open("dpi");
    line_.unsigned_number("flows", now.flows);
    line_.unsigned_number("flows_evicted", now.flows_evicted);
    line_.unsigned_number("flows_blocked", now.flows_blocked);
    line_.unsigned_number("packets_blocked", now.packets_blocked);
    line_.unsigned_number("packets_malformed", now.malformed);
    line_.close();
    eve_.write(line_.finish());
  }

  std::unique_ptr<Classifier> classifier_;
  std::shared_ptr<const Policy> policy_;
  inspect::Sink& eve_;
  inspect::JsonLine line_;
  DpiCounters counters_;
  Usage usage_;
  int64_t now_us_ = 0;
  Flows flows_;
};

}  // namespace

DpiCounters& DpiCounters::operator+=(const DpiCounters& other) {
  flows += other.flows;
  flows_known += other.flows_known;
  flows_evicted += other.flows_evicted;
  flows_blocked += other.flows_blocked;
  packets_blocked += other.packets_blocked;
  malformed += other.malformed;
  policies += other.policies;
  return *this;
}

Result<std::unique_ptr<DpiAppliance>> make_dpi(const DpiOptions& options, inspect::Sink& eve) {
  SLUICE_TRY(auto classifier, Classifier::create());
  auto policy = std::make_shared<Policy>();
  if (!options.policy_file.empty()) {
    SLUICE_TRY(*policy, Policy::load(options.policy_file, classifier->names()));
  }
  return std::make_unique<Dpi>(options, std::move(classifier), std::move(policy), eve);
}

}  // namespace sluice::dpi
