// SPDX-License-Identifier: Apache-2.0
// A stream of what somebody looks at.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "gateway/api/server.h"
#include "gateway/control/watching.h"

namespace sluice::gateway {

class Controller;
class ControlPlane;

class WatchSource : public StreamSource {
 public:
  // `count`: how many sightings; 0: until its client ends it.
  WatchSource(ControlPlane& plane, uint64_t count) : plane_(plane), count_(count) {}

  Result<> look(const watch& wanted);
  void begin(ApiStream& to) override;
  void client_ended() override;

 protected:
  // What is sent: at the begin, of a sighting behind `lost` others, and at the end.
  virtual std::string head() { return {}; }
  virtual std::string text(const sighting& seen, std::span<const uint8_t> bytes, uint64_t lost) = 0;
  virtual std::string tail(uint64_t lost) = 0;
  // The text of a sighting is on its way.
  virtual void sent() {}

  const Controller& controller() const;
  // Nanoseconds since 1970.
  int64_t unix_ns(uint64_t time_ns) const { return static_cast<int64_t>(time_ns) + to_unix_ns_; }
  int64_t unix_now_ns() const;
  uint64_t lost_of_all() const { return watcher_->lost() + unread_; }

 private:
  void take(const sighting& seen, std::span<const uint8_t> bytes);
  uint64_t lost_since() const;
  void finish();

  ControlPlane& plane_;
  int64_t to_unix_ns_ = 0;
  uint64_t count_, told_ = 0;
  uint64_t unread_ = 0;     // lost because the client does not read
  uint64_t lost_told_ = 0;  // of all that were lost
  bool finished_ = false;
  ApiStream* to_ = nullptr;
  std::unique_ptr<Watching::Watcher> watcher_;
};

}  // namespace sluice::gateway
