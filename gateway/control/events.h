// SPDX-License-Identifier: Apache-2.0
// What happens to a gateway, told once and heard by all who want to: the log, GET /events, metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::gateway {

// One list makes the enumerators and the words that people see.
#define SLUICE_EVENT_KINDS(X)                                                             \
  X(kHealth, "health")                      /* a target's state has changed */            \
  X(kAttached, "attached")                  /* an attachment has joined */                \
  X(kDetached, "detached")                  /* and left */                                \
  X(kGeneration, "generation")              /* a change was committed */                  \
  X(kReloadRefused, "reload_refused")       /* a configuration stays unapplied */         \
  X(kInterfaceMissing, "interface_missing") /* or the data path is otherwise not whole */ \
  X(kInterfaceBack, "interface_back")       /* the data path is whole again */            \
  X(kDiscovery, "discovery")                /* a source of targets is heard, or not */    \
  X(kGroupLost, "group_lost")               /* no target of a group is healthy */         \
  X(kGroupBack, "group_back")               /* one is again */                            \
  X(kTunnelMtu, "tunnel_mtu")               /* packets do not fit a tunnel, or do */      \
  X(kNotice, "notice")                      /* all else that a person may want to know */

enum class EventKind {
#define SLUICE_EVENT_ENUMERATOR(name, word) name,
  SLUICE_EVENT_KINDS(SLUICE_EVENT_ENUMERATOR)
#undef SLUICE_EVENT_ENUMERATOR
};
std::string_view event_kind_name(EventKind kind);  // "health"
std::vector<EventKind> all_event_kinds();

enum class EventLevel { kInfo, kWarning, kError };

struct Event {
  uint64_t number = 0;  // from 1, without gaps
  int64_t time_ms = 0;  // since the epoch
  EventKind kind = EventKind::kNotice;
  EventLevel level = EventLevel::kInfo;
  std::string text;                                              // one sentence for a person
  std::vector<std::pair<std::string_view, std::string>> fields;  // the same for programs
};

// {"number":7,"time":"2026-01-31T12:00:00.000Z","kind":"health","level":"info","text":...,FIELDS}
std::string event_json(const Event& event);
std::string event_time(int64_t time_ms);  // ISO 8601, UTC, milliseconds

class EventBus {
 public:
  static constexpr size_t kKeptMax = 1024;  // the latest, for those who come late
  using Listener = std::function<void(const Event&)>;

  // Hears every event from now on, in the thread that publishes, until it is removed. A listener
  // may publish nothing and remove only itself.
  uint64_t listen(Listener listener);
  void remove(uint64_t listener) { listeners_.erase(listener); }

  void publish(EventKind kind, EventLevel level, std::string text,
               std::vector<std::pair<std::string_view, std::string>> fields = {});

  const std::deque<Event>& kept() const { return kept_; }
  uint64_t published(EventKind kind) const { return published_[static_cast<size_t>(kind)]; }

 private:
  uint64_t last_number_ = 0;
  uint64_t last_listener_ = 0;
  std::deque<Event> kept_;
  std::vector<uint64_t> published_ = std::vector<uint64_t>(all_event_kinds().size());
  std::map<uint64_t, Listener> listeners_;
};

}  // namespace sluice::gateway
