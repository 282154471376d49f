// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "gateway/aws/elbv2.h"
#include "gateway/aws/elbv2_parts.h"
#include "gateway/aws/xml.h"
#include "gateway/control/validate.h"

namespace sluice::gateway::elbv2 {
namespace {

constexpr uint64_t kPriorityMost = 50'000;
constexpr size_t kValuesReadMax = kConditionValuesMax + 1;  // so that one too many is named

// Of a condition: in `config_name`, or in the old form beside it.
void read_values(Params& condition, const char* config_name, bool old_form, Condition& out) {
  if (old_form) out.values = condition.texts("Values", kValuesReadMax);
  if (auto config = condition.structure(config_name)) {
    const auto typed = config->texts("Values", kValuesReadMax);
    if (!out.values.empty() && !typed.empty() && out.values != typed)
      condition.fail(kInvalid, "Values and " + std::string(config_name) + " differ");
    if (!typed.empty()) out.values = typed;
    if (out.field == ConditionField::kHttpHeader) out.header = config->require("HttpHeaderName");
    config->unavailable("RegexValues", kConfiguration,
                        "regular expressions are not available here");
    config->unavailable("IpAddressType", kConfiguration,
                        "conditions on the kind of address are not available here");
  }
}

void read_pairs(Params& condition, Condition& out) {
  auto config = condition.structure("QueryStringConfig");
  if (!config) return;
  for (Params& pair : config->structures("Values", kValuesReadMax))
    out.pairs.push_back({pair.text("Key").value_or(""), pair.text("Value").value_or("")});
}

Condition read_condition(Params& in) {
  struct Form {
    ConditionField field;
    const char* config;
  };
  constexpr Form kForms[] = {{ConditionField::kHostHeader, "HostHeaderConfig"},
                             {ConditionField::kPathPattern, "PathPatternConfig"},
                             {ConditionField::kHttpHeader, "HttpHeaderConfig"},
                             {ConditionField::kHttpRequestMethod, "HttpRequestMethodConfig"},
                             {ConditionField::kQueryString, "QueryStringConfig"},
                             {ConditionField::kSourceIp, "SourceIpConfig"}};
  Condition out;
  (void)in.require("Field");
  const auto field = in.choice("Field", {"host-header", "path-pattern", "http-header",
                                         "http-request-method", "query-string", "source-ip"});
  if (!field) return out;
  for (const Form& form : kForms) {
    if (condition_field_name(form.field) != *field) continue;
    out.field = form.field;
    const bool old_form =
        form.field == ConditionField::kHostHeader || form.field == ConditionField::kPathPattern;
    if (form.field == ConditionField::kQueryString)
      read_pairs(in, out);
    else
      read_values(in, form.config, old_form, out);
  }
  in.unavailable("RegexValues", kConfiguration, "regular expressions are not available here");
  if (out.values.empty() && out.pairs.empty())
    in.fail(kInvalid, "A condition value must be specified");
  else if (const auto good = check_condition(out); !good)
    in.fail(kInvalid, "'" + good.error().where + "' of the condition on '" + *field +
                          "': " + good.error().what);
  return out;
}

std::vector<Condition> read_conditions(Params& in) {
  std::vector<Condition> out;
  for (Params& one : in.structures("Conditions", kConditionsMax))
    out.push_back(read_condition(one));
  return out;
}

// Only listeners of application load balancers have rules beside the default one.
AwsResult<> check_has_rules(const LoadBalancer& balancer) {
  if (balancer.type == LoadBalancerType::kApplication) return {};
  return refuse(kConfiguration, "Rules are for listeners of application load balancers");
}

AwsResult<size_t> add_rule(const Config& config, const Place& place, const LoadBalancer& balancer,
                           Listener& listener, Rule rule) {
  SLUICE_TRY_VOID(check_has_rules(balancer));
  SLUICE_TRY(rule.action,
             resolve_action(config, place, balancer, listener, std::move(rule.action)));
  const auto there = std::ranges::find(listener.rules, rule.priority, &Rule::priority);
  if (there != listener.rules.end()) {
    if (there->conditions == rule.conditions && there->action == rule.action)
      return static_cast<size_t>(there - listener.rules.begin());
    return refuse("PriorityInUse",
                  "Priority '" + std::to_string(rule.priority) + "' is currently in use");
  }
  size_t rules = 0;
  for (const Listener& each : balancer.listeners) rules += each.rules.size();
  if (rules >= kRulesMax) return refuse("TooManyRules", "the load balancer can have no more rules");
  listener.rules.push_back(std::move(rule));
  return listener.rules.size() - 1;
}

// The rule of the ARN, which must not be the default one.
AwsResult<RuleRef> find_own_rule(const Config& config, const Place& place, const std::string& arn,
                                 const char* what) {
  SLUICE_TRY(const RuleRef ref, find_rule(config, place, arn));
  if (ref.rule != nullptr) return ref;
  return refuse("OperationNotPermitted", "Default rule '" + arn + "' cannot be " + what);
}

}  // namespace

AwsResult<> create_rule(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("ListenerArn");
  Rule rule;
  (void)in.require("Priority");
  rule.priority = static_cast<uint32_t>(in.number("Priority", 1, kPriorityMost).value_or(0));
  rule.conditions = read_conditions(in);
  if (rule.conditions.empty()) in.fail(kInvalid, "A condition must be specified");
  const auto action = read_action(in, "Actions");
  if (!action) in.fail(kInvalid, "'Actions' must have an action");
  rule.action = action.value_or(Action());
  rule.tags = read_tags(in);
  in.unavailable("Transforms", kConfiguration, "transforms are not available here");
  SLUICE_TRY_VOID(in.finish());
  size_t index = 0;
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const ListenerRef ref, find_listener(next, call.place, arn));
    SLUICE_TRY(index, add_rule(next, call.place, *ref.balancer, changeable(next, ref), rule));
    return {};
  }));
  SLUICE_TRY(const ListenerRef now, find_listener(call.config(), call.place, arn));
  write(add(call.out, "Rules"), call,
        RuleRef{now.balancer, now.listener, &now.listener->rules[index]});
  return {};
}

AwsResult<> describe_rules(Call& call) {
  Params& in = call.params;
  const std::string listener_arn = in.text("ListenerArn").value_or("");
  const auto arns = in.texts("RuleArns", kArnsMax);
  const Page page(in);
  SLUICE_TRY_VOID(in.finish());
  if (listener_arn.empty() == arns.empty())
    return refuse(kInvalid, "One of ListenerArn and RuleArns must be specified");
  std::vector<RuleRef> found;
  for (const std::string& arn : arns) {
    SLUICE_TRY(const RuleRef ref, find_rule(call.config(), call.place, arn));
    found.push_back(ref);
  }
  if (!listener_arn.empty()) {
    SLUICE_TRY(const ListenerRef ref, find_listener(call.config(), call.place, listener_arn));
    for (const Rule& rule : ref.listener->rules)
      found.push_back({ref.balancer, ref.listener, &rule});
    found.push_back({ref.balancer, ref.listener, nullptr});
  }
  auto list = add(call.out, "Rules");
  // By priority, the default rule last.
  page.cut(found, call.out, [](const RuleRef& ref) {
    const std::string priority =
        ref.rule == nullptr ? "default" : std::to_string(100'000 + ref.rule->priority);
    return priority + "-" + ref.listener->id;
  });
  for (const RuleRef& ref : found) write(list, call, ref);
  return {};
}

AwsResult<> modify_rule(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("RuleArn");
  const auto conditions = read_conditions(in);
  const auto action = read_action(in, "Actions");
  in.unavailable("Transforms", kConfiguration, "transforms are not available here");
  if (in.boolean("ResetTransforms") == true && in.has("Transforms"))
    in.fail(kInvalid, "Transforms and ResetTransforms cannot be given together");
  SLUICE_TRY_VOID(in.finish());
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const RuleRef ref,
               find_own_rule(next, call.place, arn, "modified: modify the listener"));
    Rule& rule = changeable(next, ref);
    if (!conditions.empty()) rule.conditions = conditions;
    if (!action) return {};
    SLUICE_TRY(rule.action,
               resolve_action(next, call.place, *ref.balancer, *ref.listener, *action));
    return {};
  }));
  SLUICE_TRY(const RuleRef now, find_rule(call.config(), call.place, arn));
  write(add(call.out, "Rules"), call, now);
  return {};
}

AwsResult<> delete_rule(Call& call) {
  const std::string arn = call.params.require("RuleArn");
  SLUICE_TRY_VOID(call.params.finish());
  return call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const RuleRef ref, find_own_rule(next, call.place, arn, "deleted"));
    const std::string id = ref.rule->id;
    std::erase_if(changeable(next, ListenerRef{ref.balancer, ref.listener}).rules,
                  [&](const Rule& rule) { return rule.id == id; });
    return {};
  });
}

AwsResult<> set_rule_priorities(Call& call) {
  Params& in = call.params;
  std::vector<std::pair<std::string, uint32_t>> wanted;
  for (Params& one : in.structures("RulePriorities", kRulesMax)) {
    const std::string arn = one.require("RuleArn");
    (void)one.require("Priority");
    wanted.emplace_back(arn, one.number("Priority", 1, kPriorityMost).value_or(0));
  }
  if (wanted.empty()) in.fail(kInvalid, "'RulePriorities' must have an element");
  SLUICE_TRY_VOID(in.finish());
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    const Listener* listener = nullptr;
    for (const auto& [arn, priority] : wanted) {
      SLUICE_TRY(const RuleRef ref, find_own_rule(next, call.place, arn, "given a priority"));
      const Listener* its = &changeable(next, ListenerRef{ref.balancer, ref.listener});
      if (listener != nullptr && listener != its)
        return refuse(kInvalid, "All rules must be of one listener");
      listener = its;
      changeable(next, ref).priority = priority;
    }
    if (listener == nullptr) return {};
    std::set<uint32_t> seen;
    for (const Rule& rule : listener->rules)
      if (!seen.insert(rule.priority).second)
        return refuse("PriorityInUse",
                      "Priority '" + std::to_string(rule.priority) + "' is currently in use");
    return {};
  }));
  auto list = add(call.out, "Rules");
  for (const auto& [arn, priority] : wanted) {
    SLUICE_TRY(const RuleRef now, find_rule(call.config(), call.place, arn));
    write(list, call, now);
  }
  return {};
}

}  // namespace sluice::gateway::elbv2
