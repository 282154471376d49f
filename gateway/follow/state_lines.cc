// SPDX-License-Identifier: Apache-2.0
#include "gateway/follow/state_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/control/config.h"
#include "gateway/control/discover.h"

namespace sluice::gateway {
namespace {

using json = nlohmann::ordered_json;

constexpr size_t kTextMax = 512;             // of a description or trouble
constexpr size_t kListenersTotalMax = 4096;  // in one report
constexpr const char* kAnywhere = "0.0.0.0/0";

Result<json> parse(std::string_view line) {
  json parsed = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return fail("a line that is no JSON object");
  return parsed;
}

// Empty when it is missing or something else.
std::string text_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

const json& list_at(const json& object, const char* key) {
  static const json kNone = json::array();
  const auto at = object.find(key);
  return at != object.end() && at->is_array() ? *at : kNone;
}

// The topology is the daemon's business: what a balancer says of it is taken as so.
void assume_network(Config& config) {
  config.network = {};
  config.network.vpcs.push_back({"any", kAnywhere});
  std::map<std::string, bool> seen;
  for (const LoadBalancer& balancer : config.load_balancers)
    for (const SubnetMapping& mapping : balancer.subnet_mappings)
      if (seen.try_emplace(mapping.subnet).second)
        config.network.subnets.push_back({mapping.subnet, "any", "any", kAnywhere, "", ""});
}

template <class Object>
void put(ObjectList<Object>& into, const std::string& name, const ObjectList<Object>& from) {
  into.erase_if([&](const Object& object) { return object.name == name; });
  for (const Object& object : from) into.push_back(object);
}

std::string_view known_reason(const std::string& text) {
  constexpr std::string_view kReasons[] = {"Elb.RegistrationInProgress",
                                           "Elb.InitialHealthChecking",
                                           "Elb.InternalError",
                                           "Target.ResponseCodeMismatch",
                                           "Target.Timeout",
                                           "Target.FailedHealthChecks",
                                           "Target.NotRegistered",
                                           "Target.DeregistrationInProgress",
                                           "Target.HealthCheckDisabled"};
  const auto* at = std::ranges::find(kReasons, text);
  return at == std::end(kReasons) ? std::string_view() : *at;
}

std::optional<HealthState> state_named(const std::string& word) {
  for (const HealthState state :
       {HealthState::kInitial, HealthState::kHealthy, HealthState::kUnhealthy, HealthState::kUnused,
        HealthState::kDraining, HealthState::kUnavailable})
    if (health_state_name(state) == word) return state;
  return std::nullopt;
}

Result<TargetReport> parse_target(const json& entry) {
  if (!entry.is_object()) return fail("a target that is no object");
  TargetReport report;
  report.name.group = text_at(entry, "target_group");
  SLUICE_TRY(report.name.target.address, parse_ip_address(text_at(entry, "id")));
  const auto port = entry.find("port");
  if (port == entry.end() || !port->is_number_unsigned() || *port < 1 || *port > 65535)
    return fail("a target without a port");
  report.name.target.port = port->get<uint16_t>();
  const auto state = state_named(text_at(entry, "state"));
  if (!state) return fail("a target without a state");
  report.health.state = *state;
  report.health.reason = known_reason(text_at(entry, "reason"));
  report.health.description = text_at(entry, "description").substr(0, kTextMax);
  return report;
}

}  // namespace

Config application_part(const Config& config) {
  Config out;
  for (const LoadBalancer& balancer : config.load_balancers) {
    if (balancer.type != LoadBalancerType::kApplication) continue;
    LoadBalancer copy = balancer;
    copy.security_groups.clear();
    copy.tags.clear();
    out.load_balancers.push_back(std::move(copy));
  }
  for (const TargetGroup& group : config.target_groups) {
    if (group.protocol != Protocol::kHttp) continue;
    TargetGroup copy = group;
    copy.target_type = TargetType::kIp;
    copy.vpc.clear();
    copy.tags.clear();
    std::erase_if(copy.attributes, [](const auto& attribute) {
      return attribute.first.starts_with(kDiscoverPrefix);
    });
    out.target_groups.push_back(std::move(copy));
  }
  return out;
}

std::string begin_line(bool whole) { return json{{"begin", whole ? "whole" : "change"}}.dump(); }
std::string end_line(uint64_t generation) { return json{{"end", generation}}.dump(); }

std::string object_line(const ObjectChange& change) {
  // The object is JSON already.
  std::string line = json{{"kind", kind_name(change.kind)}, {"name", change.name}}.dump();
  if (change.after.empty()) return line;
  line.pop_back();
  return line + ",\"object\":" + change.after + "}";
}

Result<> StateReader::take_line(std::string_view line) {
  SLUICE_TRY(const json parsed, parse(line));
  if (const std::string begin = text_at(parsed, "begin"); !begin.empty()) {
    if (inside_ || (begin != "whole" && begin != "change")) return fail("an unexpected begin");
    inside_ = true;
    objects_ = 0;
    next_ = begin == "whole" ? Config() : state_;
    return {};
  }
  if (!inside_) return fail("a line outside of a state");
  if (const auto at = parsed.find("end"); at != parsed.end()) {
    inside_ = false;
    if (!at->is_number_unsigned()) return fail("an end without a generation");
    return end(at->get<uint64_t>());
  }
  if (++objects_ > kStateObjectsMax) return fail("too many objects");
  const auto object = parsed.find("object");
  return add_object(text_at(parsed, "kind"), text_at(parsed, "name"),
                    object == parsed.end() ? "" : object->dump());
}

Result<> StateReader::add_object(std::string_view kind, const std::string& name,
                                 const std::string& object) {
  const bool balancer = kind == kind_name(ObjectKind::kLoadBalancer);
  if (!balancer && kind != kind_name(ObjectKind::kTargetGroup)) return fail("an unknown kind");
  Config read;
  if (!object.empty())
    SLUICE_TRY_VOID(
        read_object(balancer ? ObjectKind::kLoadBalancer : ObjectKind::kTargetGroup, object, read));
  const bool other = balancer ? !read.load_balancers.empty() && read.load_balancers[0].name != name
                              : !read.target_groups.empty() && read.target_groups[0].name != name;
  if (other) return fail("an object that has another name");
  if (balancer)
    put(next_.load_balancers, name, read.load_balancers);
  else
    put(next_.target_groups, name, read.target_groups);
  return {};
}

Result<> StateReader::end(uint64_t generation) {
  assume_network(next_);
  for (const LoadBalancer& lb : next_.load_balancers)
    if (lb.type != LoadBalancerType::kApplication) return fail("a load balancer of another type");
  if (std::vector<Error> errors = validate(next_); !errors.empty())
    return tl::make_unexpected(std::move(errors.front()));
  SLUICE_TRY_VOID(take_(next_, generation));
  state_ = std::move(next_);
  return {};
}

std::string targets_line(const std::vector<TargetReport>& reports) {
  json list = json::array();
  for (const TargetReport& report : reports)
    list.push_back({{"target_group", report.name.group},
                    {"id", report.name.target.address.text()},
                    {"port", report.name.target.port},
                    {"state", health_state_name(report.health.state)},
                    {"reason", report.health.reason},
                    {"description", report.health.description.substr(0, kTextMax)}});
  return json{{"targets", std::move(list)}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string balancers_line(const std::map<std::string, ServedListeners>& balancers) {
  json list = json::array();
  for (const auto& [name, listeners] : balancers) {
    json places = json::array();
    for (const ServedListener& listener : listeners)
      places.push_back(
          {{"address", listener.address}, {"trouble", listener.trouble.substr(0, kTextMax)}});
    list.push_back({{"name", name}, {"listeners", std::move(places)}});
  }
  return json{{"load_balancers", std::move(list)}}.dump(-1, ' ', false,
                                                        json::error_handler_t::replace);
}

Result<ProxyReport> parse_report(std::string_view line) {
  SLUICE_TRY(const json parsed, parse(line));
  ProxyReport report;
  const json& targets = list_at(parsed, "targets");
  if (targets.size() > kReportTargetsMax) return fail("too many targets in a report");
  for (const json& entry : targets) {
    SLUICE_TRY(report.targets.emplace_back(), parse_target(entry));
  }
  report.has_balancers = parsed.contains("load_balancers");
  size_t places = 0;
  for (const json& entry : list_at(parsed, "load_balancers")) {
    if (!entry.is_object()) return fail("a load balancer that is no object");
    ServedListeners& listeners = report.balancers[text_at(entry, "name")];
    for (const json& listener : list_at(entry, "listeners")) {
      if (!listener.is_object() || ++places > kListenersTotalMax) return fail("a bad listener");
      listeners.push_back({text_at(listener, "address").substr(0, kTextMax),
                           text_at(listener, "trouble").substr(0, kTextMax)});
    }
    if (report.balancers.size() > kLoadBalancersMax) return fail("too many load balancers");
  }
  if (report.targets.empty() && !report.has_balancers) return fail("a report about nothing");
  return report;
}

}  // namespace sluice::gateway
