// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/changes.h"

#include <sys/random.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "gateway/control/config.h"
#include "gateway/control/digest.h"
#include "gateway/control/discover.h"
#include "gateway/control/object_json.h"

namespace sluice::gateway {
namespace {

template <class Object>
std::map<std::string_view, const Object*> by_name(const std::vector<Object>& objects) {
  std::map<std::string_view, const Object*> out;
  for (const Object& object : objects) out.emplace(object.name, &object);
  return out;
}

template <class Object>
void add_changes(ObjectKind kind, const std::vector<Object>& before,
                 const std::vector<Object>& after, std::vector<ObjectChange>& out) {
  const auto old_ones = by_name(before), new_ones = by_name(after);
  std::map<std::string_view, ObjectChange> found;
  for (const auto& [name, object] : old_ones) {
    const auto now = new_ones.find(name);
    if (now != new_ones.end() && *now->second == *object) continue;
    found[name] = {kind, std::string(name), to_json(*object).dump(),
                   now == new_ones.end() ? "" : to_json(*now->second).dump()};
  }
  for (const auto& [name, object] : new_ones)
    if (!old_ones.contains(name))
      found[name] = {kind, std::string(name), "", to_json(*object).dump()};
  for (auto& [name, change] : found) out.push_back(std::move(change));
}

void keep_identity(Resource& to, const Resource& from) {
  to.id = from.id;
  to.created_ms = from.created_ms;
}

void keep_listeners(LoadBalancer& to, const LoadBalancer& from) {
  for (Listener& listener : to.listeners) {
    const auto old = std::ranges::find_if(from.listeners, [&](const Listener& other) {
      return other.protocol == listener.protocol && other.address == listener.address &&
             other.port == listener.port;
    });
    if (old == from.listeners.end()) continue;
    keep_identity(listener, *old);
    for (Rule& rule : listener.rules) {
      const auto old_rule = std::ranges::find(old->rules, rule.priority, &Rule::priority);
      if (old_rule != old->rules.end()) keep_identity(rule, *old_rule);
    }
  }
}

// What a source has told is newer than what a file says.
void keep_found(TargetGroup& to, const TargetGroup& from) {
  if (is_followed(to) && discover_settings(to) == discover_settings(from))
    to.targets = from.targets;
}

template <class Object>
void merge(std::vector<Object>& next, std::vector<Object>& file) {
  const auto from_file = by_name(file);
  const auto now = by_name(next);
  for (Object& object : file) {
    const auto old = now.find(object.name);
    if (old == now.end()) continue;
    keep_identity(object, *old->second);
    if constexpr (std::is_same_v<Object, LoadBalancer>) keep_listeners(object, *old->second);
    if constexpr (std::is_same_v<Object, TargetGroup>) keep_found(object, *old->second);
  }
  std::vector<Object> kept;
  for (const Object& object : next)
    if (object.origin == Origin::kApi && !from_file.contains(object.name)) kept.push_back(object);
  next = std::move(file);
  std::ranges::move(kept, std::back_inserter(next));
}

std::string random_id() {
  uint64_t number = 0;
  SLUICE_CHECK(::getrandom(&number, sizeof(number), 0) == sizeof(number));
  return hexadecimal(number);
}

class Completer {
 public:
  Completer(Config& next, uint64_t now_ms) : next_(next), now_ms_(now_ms) {}
  void run() {
    for (TargetGroup& group : next_.target_groups)
      fill(group, group.origin, "target_group/" + group.name);
    for (LoadBalancer& lb : next_.load_balancers) fill_balancer(lb);
    for (Attachment& attachment : next_.attachments)
      fill(attachment, attachment.origin, "attachment/" + attachment.name);
    for (EndpointService& service : next_.endpoint_services)
      fill(service, service.origin, "endpoint_service/" + service.name);
  }

 private:
  void fill_balancer(LoadBalancer& lb) {
    const std::string name = "load_balancer/" + lb.name;
    fill(lb, lb.origin, name);
    for (Listener& listener : lb.listeners) {
      const std::string place = name + "/" + std::string(protocol_name(listener.protocol)) + " " +
                                listener.address.text() + " " + std::to_string(listener.port);
      fill(listener, lb.origin, place);
      for (Rule& rule : listener.rules)
        fill(rule, lb.origin, place + "/" + std::to_string(rule.priority));
    }
  }
  void fill(Resource& resource, Origin origin, const std::string& name) {
    if (resource.id.empty())
      resource.id = origin == Origin::kFile ? digest_of(next_.gateway.key, name) : random_id();
    if (resource.created_ms == 0) resource.created_ms = now_ms_;
  }

  Config& next_;
  uint64_t now_ms_;
};

// The one object of `from` in the place of the one of that name, or at the end.
template <class Object>
void replace(std::vector<Object>& list, const std::string& name, std::vector<Object>& from) {
  const auto at = std::ranges::find(list, name, &Object::name);
  if (from.empty())
    list.erase(at, at == list.end() ? at : at + 1);
  else if (at == list.end())
    list.push_back(std::move(from.front()));
  else
    *at = std::move(from.front());
}

Result<TargetGroup*> find_group(Config& next, const std::string& name) {
  const auto at = std::ranges::find(next.target_groups, name, &TargetGroup::name);
  if (at == next.target_groups.end()) return fail("there is no target group '" + name + "'");
  if (is_followed(*at)) return fail(followed(*at));
  return &*at;
}

}  // namespace

std::vector<ObjectChange> changes_between(const Config& before, const Config& after) {
  std::vector<ObjectChange> out;
  add_changes(ObjectKind::kLoadBalancer, before.load_balancers, after.load_balancers, out);
  add_changes(ObjectKind::kTargetGroup, before.target_groups, after.target_groups, out);
  add_changes(ObjectKind::kAttachment, before.attachments, after.attachments, out);
  add_changes(ObjectKind::kEndpointService, before.endpoint_services, after.endpoint_services, out);
  return out;
}

Result<> replace_object(Config& next, const ObjectChange& change) {
  Config after;
  if (!change.after.empty()) SLUICE_TRY_VOID(read_object(change.kind, change.after, after));
  switch (change.kind) {
    case ObjectKind::kLoadBalancer:
      replace(next.load_balancers, change.name, after.load_balancers);
      break;
    case ObjectKind::kTargetGroup:
      replace(next.target_groups, change.name, after.target_groups);
      break;
    case ObjectKind::kAttachment:
      replace(next.attachments, change.name, after.attachments);
      break;
    case ObjectKind::kEndpointService:
      replace(next.endpoint_services, change.name, after.endpoint_services);
      break;
  }
  return {};
}

Result<> apply_file(Config& next, Config file) {
  next.gateway = std::move(file.gateway);
  next.network = std::move(file.network);
  merge(next.load_balancers, file.load_balancers);
  merge(next.target_groups, file.target_groups);
  merge(next.attachments, file.attachments);
  merge(next.endpoint_services, file.endpoint_services);
  return {};
}

void complete(Config& next, uint64_t now_ms) { Completer(next, now_ms).run(); }

Result<> register_target(Config& next, const std::string& group_name, Target target) {
  SLUICE_TRY(TargetGroup * group, find_group(next, group_name));
  if (target.port == 0) target.port = group->port;
  if (std::ranges::find(group->targets, target) == group->targets.end())
    group->targets.push_back(target);
  return {};
}

Result<> deregister_target(Config& next, const std::string& group_name, Target target) {
  SLUICE_TRY(TargetGroup * group, find_group(next, group_name));
  if (target.port == 0) target.port = group->port;
  if (std::erase(group->targets, target) == 0)
    return fail("target " + target.text() + " is not registered in '" + group_name + "'");
  return {};
}

}  // namespace sluice::gateway
