// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/discovery.h"

#include <algorithm>

#include "gateway/control/controller.h"
#include "gateway/control/validate.h"
#include "gateway/discovery/dns_source.h"
#include "gateway/discovery/etcd_source.h"
#include "gateway/discovery/file_source.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kMinuteS = 60;
constexpr uint32_t kHourS = 3600;
constexpr size_t kNamesShownMax = 3;

std::vector<Target> sorted(std::vector<Target> targets) {
  std::ranges::sort(targets);
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

}  // namespace

std::unique_ptr<Source> make_source(EventLoop& loop, const DiscoverSettings& settings, Heard heard,
                                    uint32_t second_ms) {
  switch (settings.source) {
    case DiscoverSource::kNone:
      return nullptr;
    case DiscoverSource::kDns:
      return std::make_unique<DnsSource>(loop, settings, std::move(heard), second_ms);
    case DiscoverSource::kFile:
      return std::make_unique<FileSource>(loop, settings, std::move(heard), second_ms);
    case DiscoverSource::kEtcd:
      return std::make_unique<EtcdSource>(loop, settings, std::move(heard), second_ms);
  }
  return nullptr;
}

Discovery::Discovery(EventLoop& loop, ControlPlane& plane, uint32_t second_ms)
    : loop_(loop),
      plane_(plane),
      second_ms_(second_ms),
      look_(loop, [this] { follow(); }),
      effect_(loop, [this] { put_into_effect(); }) {
  listener_ = plane_.controller().events().listen([this](const Event& event) {
    if (event.kind == EventKind::kGeneration) look_.set_after(0);
  });
}

Discovery::~Discovery() { plane_.controller().events().remove(listener_); }

void Discovery::follow() {
  Followers next;
  for (const TargetGroup& group : plane_.config().target_groups) {
    const Reading reading{discover_settings(group), group.protocol, group.port, group.ip_version};
    if (reading.settings.source == DiscoverSource::kNone) continue;
    if (auto at = followers_.find(group.name);
        at != followers_.end() && at->second.reading == reading) {
      next.insert(followers_.extract(at));
      continue;
    }
    Follower& follower = next[group.name];
    follower.known.group = group.name;
    follower.known.source = reading.settings.text();
    follower.reading = reading;
    follower.source = make_source(
        loop_, reading.settings,
        [this, name = group.name](Result<Found> answer) { heard(name, std::move(answer)); },
        second_ms_);
  }
  followers_ = std::move(next);
  for (auto& [name, follower] : followers_) schedule(follower);
  set_timer();
}

void Discovery::heard(const std::string& name, Result<Found> answer) {
  const auto at = followers_.find(name);
  const TargetGroup* group = plane_.config().target_group(name);
  if (at == followers_.end() || group == nullptr) return;
  Follower& follower = at->second;
  FollowedGroup& known = follower.known;
  if (!answer) {
    known.failures++;
    // Once: until it is heard again there is nothing new to say.
    const bool first = known.trouble.empty();
    known.trouble = answer.error().text();
    if (first) tell(follower, false, known.trouble + "; the targets stay as they are");
    return;
  }
  known.answers++;
  const bool back = !known.trouble.empty() || !follower.found;
  known.trouble.clear();
  take(follower, *group, *answer);
  if (back) tell(follower, true, std::to_string(known.targets) + " targets");
  schedule(follower);
  set_timer();
}

// What of the answer can be a target of the group.
void Discovery::take(Follower& follower, const TargetGroup& group, const Found& answer) {
  size_t unusable = answer.unusable;
  std::string why = answer.why;
  const auto leave_out = [&](std::string reason) {
    if (unusable++ == 0) why = std::move(reason);
  };
  std::vector<Target> usable;
  for (Target target : answer.targets) {
    if (target.port == 0) target.port = group.port;
    if (const auto good = check_found(plane_.config().gateway, group, target); !good)
      leave_out(target.text() + ": " + good.error().what);
    else
      usable.push_back(target);
  }
  usable = sorted(std::move(usable));
  while (usable.size() > kTargetsPerGroupMax) {
    leave_out("more than " + std::to_string(kTargetsPerGroupMax) + " targets");
    usable.pop_back();
  }
  follower.known.unusable += unusable;
  follower.known.targets = usable.size();
  follower.found = std::move(usable);
  if (why != follower.left_out && !why.empty())
    tell(follower, false, std::to_string(unusable) + " left out: " + why);
  follower.left_out = why;
}

// Sets when what was found takes effect; not at all when it is so already.
void Discovery::schedule(Follower& follower) {
  const TargetGroup* group = plane_.config().target_group(follower.known.group);
  if (group == nullptr || !follower.found || sorted(group->targets) == *follower.found) {
    follower.due_ms = UINT64_MAX;
    follower.known.refused.clear();
    return;
  }
  if (follower.due_ms != UINT64_MAX) return;
  const uint64_t now_ms = loop_.now_ms();
  if (now_ms - follower.hour_ms >= uint64_t{kHourS} * second_ms_ || follower.hour_ms == 0) {
    follower.hour_ms = now_ms;
    follower.changes_in_hour = 0;
  }
  const bool quick = follower.changes_in_hour < kQuickChangesMax && follower.known.refused.empty();
  const uint64_t minute_ms = uint64_t{kMinuteS} * second_ms_;
  follower.due_ms = quick ? now_ms + kCollectMs : (now_ms / minute_ms + 1) * minute_ms;
}

void Discovery::set_timer() {
  uint64_t at_ms = UINT64_MAX;
  for (const auto& [name, follower] : followers_) at_ms = std::min(at_ms, follower.due_ms);
  if (at_ms == UINT64_MAX)
    effect_.cancel();
  else
    effect_.set_at(at_ms);
}

void Discovery::put_into_effect() {
  std::vector<Follower*> due;
  for (auto& [name, follower] : followers_)
    if (follower.due_ms <= loop_.now_ms()) due.push_back(&follower);
  // One that cannot be must not hold the others back.
  if (!due.empty() && !commit(due) && due.size() > 1)
    for (Follower* follower : due) (void)commit({follower});
  for (Follower* follower : due) {
    follower->due_ms = UINT64_MAX;
    schedule(*follower);
  }
  set_timer();
}

bool Discovery::commit(const std::vector<Follower*>& due) {
  std::string author = "discovery:";
  for (size_t i = 0; i < std::min(due.size(), kNamesShownMax); i++)
    author += (i == 0 ? "" : ",") + due[i]->known.group;
  if (due.size() > kNamesShownMax)
    author += " and " + std::to_string(due.size() - kNamesShownMax) + " more";
  const auto done = plane_.commit(author, [&](Config& next) -> Result<> {
    for (const Follower* follower : due)
      if (TargetGroup* group = next.target_groups.edit(follower->known.group))
        group->targets = *follower->found;
    return {};
  });
  if (!done && due.size() > 1) return false;
  for (Follower* follower : due) {
    follower->changes_in_hour++;
    if (done) {
      follower->known.changes++;
      follower->known.refused.clear();
      continue;
    }
    const bool first = follower->known.refused.empty();
    follower->known.refused = done.error().front().text();
    if (first) tell(*follower, false, "cannot take effect: " + follower->known.refused);
  }
  return done.has_value();
}

void Discovery::tell(const Follower& follower, bool good, const std::string& text) {
  const FollowedGroup& known = follower.known;
  plane_.controller().events().publish(
      EventKind::kDiscovery, good ? EventLevel::kInfo : EventLevel::kWarning,
      "target group " + known.group + " follows " + known.source + ": " + text,
      {{"target_group", known.group},
       {"source", known.source},
       {"targets", std::to_string(known.targets)}});
}

std::vector<FollowedGroup> Discovery::groups() const {
  std::vector<FollowedGroup> out;
  for (const auto& [name, follower] : followers_) out.push_back(follower.known);
  return out;
}

}  // namespace sluice::gateway
