// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/explain.h"

#include <algorithm>

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "gateway/control/zones.h"
#include "gateway/datapath/path.h"

namespace sluice::gateway {
namespace {

std::string hexadecimal(uint64_t number, int digits) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%0*" PRIx64, digits, number);
  return text;
}

class Teller {
 public:
  Teller(const Tables& tables, const Config& config, const Reconciler& names, uint64_t now_ms)
      : tables_(tables), config_(config), names_(names), now_ms_(now_ms) {}

  Result<Explanation> tell(const ExplainQuestion& question);

 private:
  bool has_row(const flow_record& record, const flow_query& query) const;
  bool stays(const flow_record& record, const flow_query& query) const;
  bool is_reset(const flow_record& record, const flow_query& query) const;
  void tell_existing(const flow_record& record, const flow_query& query);
  void tell_unrecorded(uint16_t appliance);
  void tell_new(const ExplainQuestion& question, const flow_query& query, const struct tuple& tuple,
                const flow_record* record);
  bool tell_rule(uint32_t rule);
  void tell_nlb(const flow_query& query, const struct tuple& tuple);
  void tell_chain(const flow_record& record);
  void tell_further_hops(uint32_t rule, const flow_query& query);
  void tell_mirror(uint32_t rule, const flow_query& query);
  void tell_appliance(uint16_t index);
  void tell_zone(uint16_t group);
  void tell_alb(const ExplainQuestion& question);
  uint32_t row_of(uint16_t group, const flow_query& query) const;
  std::string tell_row(uint16_t group, uint32_t index) const;
  std::string tell_weight(uint16_t group, const target& owner) const;
  std::string target_text(uint16_t index) const;
  void drop(DropReason reason) {
    out_.drop = reason;
    say("dropped as " + std::string(drop_reason_name(reason)) + ": " +
        std::string(drop_reason_text(reason)));
  }
  void say(std::string sentence) { out_.story.push_back(std::move(sentence)); }

  const Tables& tables_;
  const Config& config_;
  const Reconciler& names_;
  const uint64_t now_ms_;
  uint32_t rule_ = 0;  // of a new flow
  Explanation out_;
};

struct tuple make_tuple(const ExplainQuestion& question) {
  struct tuple out {};
  std::memcpy(out.source, question.source.words, sizeof(out.source));
  std::memcpy(out.destination, question.destination.words, sizeof(out.destination));
  out.source_port = swap_be16(question.source_port);
  out.destination_port = swap_be16(question.destination_port);
  out.protocol = question.protocol;
  out.version = question.source.version;
  return out;
}

std::string Teller::target_text(uint16_t index) const {
  const target& t = tables_.targets[index % kTargetsMax];
  std::string out = ip_address(t.address, t.version).text();
  if ((t.flags & kTargetNlb) != 0) out += " port " + std::to_string(swap_be16(t.port));
  return out + " (target " + std::to_string(index) + ")";
}

Result<Explanation> Teller::tell(const ExplainQuestion& question) {
  if (question.source.version != question.destination.version)
    return fail("source and destination are of different IP versions");
  const Attachment* at = nullptr;
  for (const Attachment& attachment : config_.attachments)
    if (question.attachment.empty() || attachment.name == question.attachment) at = &attachment;
  if (at == nullptr)
    return fail(question.attachment.empty()
                    ? "the gateway has no attachment"
                    : "there is no attachment '" + question.attachment + "'");
  if (question.attachment.empty() && config_.attachments.size() > 1)
    return fail("the gateway has several attachments: say which one");
  uint32_t index = 0;
  while (index < kAttachmentsMax &&
         names_.attachment_name(static_cast<uint16_t>(index)) != at->name)
    index++;
  if (index == kAttachmentsMax)
    return fail("attachment '" + at->name + "' is not in the tables yet");

  out_.attachment = at->name;
  say("comes in at " + (question.from_inside ? at->inside : at->outside) + ", the " +
      (question.from_inside ? "inside" : "outside") + " of attachment " + at->name + " (endpoint " +
      hexadecimal(at->endpoint_id, 16) + ")");

  const struct tuple tuple = make_tuple(question);
  flow_query query;
  flow_query_from_tuple(&query, tables_.settings, &tuple, index, 0);
  uint32_t place = flow_find(&tables_, &query);
  const flow_record* record = table_flow_records(&tables_, place);
  if (record != nullptr &&
      flow_is_expired(tables_.settings, record, static_cast<uint32_t>(now_ms_)))
    record = nullptr;
  if (record != nullptr && (record->flags & kFlowAlias)) {
    say("answers an NLB listener: inspection sees the listener's address; ask about the client's "
        "flow");
    out_.flow_exists = true;
    out_.hash = query.hash;
    return std::move(out_);
  }
  out_.hash = query.hash;
  const uint32_t rule =
      record != nullptr ? policy_rule_now(tables_.settings, record->rule) : uint32_t{0};
  out_.target_group = names_.group_name(
      static_cast<uint16_t>(flow_group(&tables_, &tables_.attachments[index], &query, rule)));
  const uint32_t former = record == nullptr
                              ? unrecorded_former(&tables_, &query, static_cast<uint32_t>(now_ms_))
                              : uint32_t{kNone16};
  if (record != nullptr && (record->flags & kFlowBypass || stays(*record, query)))
    tell_existing(*record, query);
  else if (former != kNone16)
    tell_unrecorded(static_cast<uint16_t>(former));
  else
    tell_new(question, query, tuple, record);
  if (out_.drop == kDropNone && (record == nullptr || record->flags & kFlowMirror))
    tell_mirror(record != nullptr ? rule : rule_, query);
  if (out_.drop == kDropNone) tell_alb(question);
  return std::move(out_);
}

// The row of a flow without a chain is its target's.
bool Teller::has_row(const flow_record& record, const flow_query& query) const {
  const uint32_t group = flow_group(&tables_, &tables_.attachments[record.attachment], &query,
                                    policy_rule_now(tables_.settings, record.rule));
  return steer(&tables_, group, &query) == record.target;
}

// As flow_leave() of the packet path, for a packet that opens no connection.
bool Teller::stays(const flow_record& record, const flow_query& query) const {
  if (flow_is_chain(&record)) return true;  // its hops are told one by one
  const target& t = tables_.targets[record.target % kTargetsMax];
  if (!(t.flags & kTargetInUse)) return false;
  return !(t.flags & kTargetMoves) || has_row(record, query);
}

// Its connection ends with its target.
bool Teller::is_reset(const flow_record& record, const flow_query& query) const {
  const target& t = tables_.targets[record.target % kTargetsMax];
  return t.flags & kTargetResets && query.key.protocol == kProtocolTcp && !has_row(record, query);
}

void Teller::tell_existing(const flow_record& record, const flow_query& query) {
  out_.flow_exists = true;
  say("belongs to a flow in the table (cookie " + hexadecimal(record.cookie, 8) + ", last packet " +
      std::to_string((static_cast<uint32_t>(now_ms_) - record.last_seen_ms) / 1000) + " s ago" +
      (flow_is_closed(&record) ? ", closed: a SYN would begin a new one" : "") +
      "); it stays with its target");
  out_.rule = names_.policy().rule_name(record.rule);
  if (!out_.rule.empty()) say("rule " + out_.rule + " of the policy decided when it began");
  if (record.flags & kFlowNlb) {
    out_.backend = record.backend;
    say("after inspection it is translated to NLB target " + target_text(record.backend));
  }
  if (record.flags & kFlowBypass)
    return say(record.target == kNone16
                   ? "it began while no target was healthy: it is delivered without inspection"
               : record.target == kUninspected
                   ? "its rule wants no inspection: it is delivered at once"
                   : "its appliance has hinted that it needs no more inspection: it is delivered "
                     "at once");
  if (flow_is_chain(&record)) return tell_chain(record);
  if (is_reset(record, query)) {
    say("that is lost, and its group ends such connections by RST to both ends; a SYN would begin "
        "a new flow");
    return drop(kDropTargetLost);
  }
  tell_appliance(record.target);
}

void Teller::tell_unrecorded(uint16_t appliance) {
  out_.unrecorded = true;
  say("belongs to a flow without a record; its packets stay with its target while that serves, but "
      "for a SYN, which goes by its row");
  tell_appliance(appliance);
}

// The appliances that a flow visits one after another.
void Teller::tell_chain(const flow_record& record) {
  for (const uint16_t index : appliances_of(record)) tell_appliance(index);
  say("replies visit them backwards");
}

// Where the hops of a chain that begins would be; the first has been told.
void Teller::tell_further_hops(uint32_t rule, const flow_query& query) {
  for (uint32_t hop = 1; hop < kChainHopsMax && out_.drop == kDropNone; hop++) {
    const uint32_t group = policy_group(&tables_, &query, rule, hop);
    if (group == kNone16) break;
    const uint32_t index = row_of(static_cast<uint16_t>(group), query);
    const uint16_t appliance = tables_.rows[index].target;
    say("hop " + std::to_string(hop + 1) + ", target group " +
        std::string(names_.group_name(static_cast<uint16_t>(group))) + ": " +
        tell_row(static_cast<uint16_t>(group), index));
    if (appliance != kNone16)
      tell_appliance(appliance);
    else if (tables_.groups[group].flags & kGroupFailsOpen)
      say("no target of the group is healthy: the flow passes it by");
    else
      drop(kDropNoTarget);
  }
}

void Teller::tell_new(const ExplainQuestion& question, const flow_query& query,
                      const struct tuple& tuple, const flow_record* record) {
  if (record != nullptr)
    say("belongs to a flow whose target is unhealthy or gone: it leaves it");
  else
    say("has no flow in the table (hash " + hexadecimal(query.hash, 16) + "): it would begin one");
  const struct attachment& at = tables_.attachments[query.attachment];
  const uint32_t rule = record != nullptr ? policy_rule_now(tables_.settings, record->rule)
                        : at.flags & kAttachmentPolicy ? policy_find(&tables_, &query, &tuple, 0)
                                                       : 0;
  if (tell_rule(rule)) return;
  const auto group = static_cast<uint16_t>(flow_group(&tables_, &at, &query, rule));
  out_.target_group = names_.group_name(group);
  if (group == kNone16) return drop(kDropNoTargetGroup);
  tell_zone(group);
  const uint32_t index = row_of(group, query);
  out_.row = index - first_row(group);
  say("target group " + out_.target_group + ": " + tell_row(group, index));
  const uint16_t appliance = tables_.rows[index].target;
  const bool chain = rule != 0 && policy_group(&tables_, &query, rule, 1) != kNone16;
  if (appliance != kNone16)
    tell_appliance(appliance);
  else if (!(tables_.groups[group].flags & kGroupFailsOpen))
    return drop(kDropNoTarget);
  else if (!chain)
    return say("no target of the group is healthy: it is delivered without inspection");
  else
    say("no target of the group is healthy: the flow passes it by");
  if (chain) tell_further_hops(rule, query);
  const bool ports = tuple.protocol == kProtocolTcp || tuple.protocol == kProtocolUdp;
  if (!question.from_inside && ports && out_.drop == kDropNone) tell_nlb(query, tuple);
}

// Whether the rule of a new flow settles all.
bool Teller::tell_rule(uint32_t rule) {
  rule_ = rule;
  out_.rule = names_.policy().rule_name(static_cast<uint8_t>(rule));
  if (!out_.rule.empty()) say("rule " + out_.rule + " of the policy fits it");
  const PolicyAction action = policy_action(&tables_, rule);
  if (action == kPolicyDrop) drop(kDropPolicy);
  if (action == kPolicyBypass) say("it is delivered without inspection");
  return action != kPolicyForward;
}

// Where the copies of its packets go.
void Teller::tell_mirror(uint32_t rule, const flow_query& query) {
  const uint16_t group = names_.policy().mirror_of(static_cast<uint8_t>(rule));
  if (group == kNone16) return;
  out_.mirror_group = names_.group_name(group);
  const uint32_t index = row_of(group, query);
  const bool shadow = policy_rule_at(&tables_, rule)->shadow != 0;
  say("a copy goes to target group " + out_.mirror_group + ": " + tell_row(group, index) +
      (shadow ? "; what comes back of it is compared, and not delivered"
              : "; nothing that comes back of it is delivered"));
}

void Teller::tell_zone(uint16_t group) {
  if (tables_.groups[group].zone == 0) return;
  for (const Subnet& subnet : config_.network.subnets)
    if (zone_id(subnet.zone) == tables_.groups[group].zone)
      return say("cross-zone load balancing is off: only targets of zone " + subnet.zone);
}

// As steer() of the packet path.
uint32_t Teller::row_of(uint16_t group, const flow_query& query) const {
  const uint16_t form = tables_.groups[group].stickiness;
  const uint64_t hash = form == kFlowHash5Tuple
                            ? query.hash
                            : flow_hash(&tables_.settings->hash_key, &query.key, form);
  return row_index(group, hash);
}

std::string Teller::tell_row(uint16_t group, uint32_t index) const {
  const row& r = tables_.rows[index];
  constexpr const char* kForms[] = {"five-tuple", "addresses and protocol", "addresses"};
  std::string out = "row " + std::to_string(index - first_row(group)) + ", chosen by " +
                    kForms[tables_.groups[group].stickiness % 3] + ", ";
  if (r.target == kNone16)
    out += "is nobody's";
  else
    out += "belongs to " + target_text(r.target) +
           tell_weight(group, tables_.targets[r.target % kTargetsMax]);
  if (r.previous != kNone16)
    out += "; until " + std::to_string(now_ms_ / 1000 - r.since_s) + " s ago to " +
           target_text(r.previous);
  return out;
}

// Nothing in groups whose targets all weigh the same.
std::string Teller::tell_weight(uint16_t group, const target& owner) const {
  const TargetGroup* of = config_.target_group(names_.group_name(group));
  if (of == nullptr || of->weights.empty()) return {};
  const Target target{ip_address(owner.address, owner.version), swap_be16(owner.port)};
  return " of weight " + std::to_string(weight_of(*of, target));
}

void Teller::tell_appliance(uint16_t index) {
  const target& t = tables_.targets[index % kTargetsMax];
  out_.appliance = index;
  if (!(t.flags & kTargetResolved)) return drop(kDropNeighbourUnresolved);
  say("is encapsulated and sent to " + target_text(index) + " by interface " +
      std::to_string(t.interface) +
      (t.profile == kProfileAws ? "" : " in the profile " + std::string(profile_name(t.profile))) +
      "; packets of up to " + std::to_string(t.mtu) + " bytes fit");
}

void Teller::tell_nlb(const flow_query& query, const struct tuple& tuple) {
  const uint32_t index = nlb_find_listener(&tables_, &tuple);
  if (index == kNone16) return;
  const listener& l = tables_.listeners[index];
  out_.listener = static_cast<uint16_t>(index);
  tell_zone(l.group);
  const uint32_t row = row_of(l.group, query);
  say("its destination is an NLB listener, target group " +
      std::string(names_.group_name(l.group)) + ": " + tell_row(l.group, row));
  if (tables_.rows[row].target == kNone16) return drop(kDropNlbNoTarget);
  out_.backend = tables_.rows[row].target;
  say("once approved it is translated to " + target_text(*out_.backend) +
      ", with the client's address kept");
}

std::string tell_default(const Action& action) {
  if (action.redirect) return "a redirect";
  if (action.fixed_response) return "a fixed response";
  std::string names;
  for (const WeightedGroup& group : groups_of(action))
    names.append(names.empty() ? "target group " : ", ").append(group.target_group);
  return names;
}

void Teller::tell_alb(const ExplainQuestion& question) {
  if (!question.from_inside && !out_.backend) {
    for (const LoadBalancer& lb : config_.load_balancers) {
      if (lb.type != LoadBalancerType::kApplication) continue;
      for (const Listener& listener : lb.listeners) {
        const auto addresses = addresses_of(lb, listener);
        if (question.protocol == kProtocolTcp && listener.port == question.destination_port &&
            std::ranges::find(addresses, question.destination) != addresses.end())
          say("its destination is the application load balancer " + lb.name +
              ": sluice-proxy decides by the request (" + std::to_string(listener.rules.size()) +
              " rules, else " + tell_default(listener.default_action) + ")");
      }
    }
  }
  say(std::string("once approved it leaves by the ") +
      (question.from_inside ? "outside" : "inside"));
}

}  // namespace

Result<Explanation> explain(const Tables& tables, const Config& config, const Reconciler& names,
                            uint64_t now_ms, const ExplainQuestion& question) {
  return Teller(tables, config, names, now_ms).tell(question);
}

}  // namespace sluice::gateway
