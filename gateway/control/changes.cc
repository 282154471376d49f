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
void add_changes(ObjectKind kind, const ObjectList<Object>& before, const ObjectList<Object>& after,
                 std::vector<ObjectChange>& out) {
  if (before.same_objects(after)) return;
  std::map<std::string_view, ObjectChange> found;
  for (const Object& old : before) {
    const Object* now = after.find(old.name);
    if (now == &old || (now != nullptr && *now == old)) continue;
    found[old.name] = {kind, old.name, to_json(old).dump(),
                       now == nullptr ? "" : to_json(*now).dump()};
  }
  for (const Object& now : after)
    if (before.find(now.name) == nullptr)
      found[now.name] = {kind, now.name, "", to_json(now).dump()};
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

// A file that only says what is so already takes nothing over from whoever made it.
template <class Object>
bool is_told_again(Object& wanted, const Object& old) {
  const Origin teller = std::exchange(wanted.origin, old.origin);
  const bool same = wanted == old;
  wanted.origin = teller;
  return same;
}

template <class Object>
void merge(ObjectList<Object>& next, const ObjectList<Object>& file) {
  ObjectList<Object> merged;
  for (const Object& object : file) {
    Object wanted = object;
    const auto old = next.find_shared(object.name);
    if (old != nullptr) {
      keep_identity(wanted, *old);
      if constexpr (std::is_same_v<Object, LoadBalancer>) keep_listeners(wanted, *old);
      if constexpr (std::is_same_v<Object, TargetGroup>) keep_found(wanted, *old);
    }
    if (old != nullptr && is_told_again(wanted, *old))
      merged.share(next, object.name);
    else
      merged.push_back(std::move(wanted));
  }
  for (const Object& object : next)
    if (object.origin == Origin::kApi && file.find(object.name) == nullptr)
      merged.share(next, object.name);
  next = std::move(merged);
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
    fill_all(next_.target_groups, "target_group/");
    fill_all(next_.attachments, "attachment/");
    fill_all(next_.endpoint_services, "endpoint_service/");
    for (size_t i = 0; i < next_.load_balancers.size(); i++)
      if (!is_complete(std::as_const(next_.load_balancers)[i]))
        fill_balancer(next_.load_balancers[i]);
  }

 private:
  static bool is_filled(const Resource& resource) {
    return !resource.id.empty() && resource.created_ms != 0;
  }
  static bool is_complete(const LoadBalancer& lb) {
    return is_filled(lb) && std::ranges::all_of(lb.listeners, [](const Listener& listener) {
             return is_filled(listener) && std::ranges::all_of(listener.rules, is_filled);
           });
  }
  template <class Object>
  void fill_all(ObjectList<Object>& objects, const std::string& prefix) {
    for (size_t i = 0; i < objects.size(); i++)
      if (const Object& now = std::as_const(objects)[i]; !is_filled(now))
        fill(objects[i], now.origin, prefix + now.name);
  }
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
void replace(ObjectList<Object>& list, const std::string& name, const ObjectList<Object>& from) {
  if (from.empty())
    list.erase_if([&](const Object& object) { return object.name == name; });
  else
    list.put(from[0]);
}

Result<TargetGroup*> find_group(Config& next, const std::string& name) {
  TargetGroup* group = next.target_groups.edit(name);
  if (group == nullptr) return fail("there is no target group '" + name + "'");
  if (is_followed(*group)) return fail(followed(*group));
  return group;
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
  group->weights.erase(target);
  if (std::erase(group->targets, target) == 0)
    return fail("target " + target.text() + " is not registered in '" + group_name + "'");
  return {};
}

}  // namespace sluice::gateway
