// SPDX-License-Identifier: Apache-2.0
// Which kinds of events are written. What nobody wants need not be found out: without "fileinfo"
// the attachments of mails are decoded only for rules.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::inspect {

enum class EventType : uint8_t {
  kAlert,
  kDrop,
  kFlow,
  kFileinfo,
  kStats,
  kHttp,
  kDns,
  kTls,
  kSsh,
  kSmtp,
  kFtp,
  kNetflow,
  kAnomaly,
  kCount,
};

class EventTypes {
 public:
  // "alert,drop,http": by the names that events have as event_type. "all" and "none" stand alone.
  static Result<EventTypes> parse(std::string_view list);
  // All of them but "netflow", which says again what "flow" says.
  EventTypes() { types_.set().reset(static_cast<size_t>(EventType::kNetflow)); }

  bool has(EventType type) const { return types_[static_cast<size_t>(type)]; }
  // By name; what has none of these names is never written.
  bool has(std::string_view name) const;
  EventTypes without(EventType type) const {
    EventTypes out = *this;
    out.types_.reset(static_cast<size_t>(type));
    return out;
  }
  // By name, which must be one of those.
  EventTypes with(std::string_view name, bool wanted) const;

 private:
  std::bitset<static_cast<size_t>(EventType::kCount)> types_;
};

}  // namespace sluice::inspect
