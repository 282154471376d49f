// SPDX-License-Identifier: Apache-2.0
// The proxy's side: follows the daemon's state and tells it what is served. While the daemon is
// away everything goes on as it is, and it is asked again and again.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "gateway/follow/state_lines.h"
#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {

class Follower {
 public:
  static constexpr uint32_t kAgainMinMs = 50;
  static constexpr uint32_t kAgainMaxMs = 5000;  // doubled from try to try up to this
  static constexpr uint32_t kReportMs = 20;      // what happens within is one report

  struct World {
    // Serves a state from now on.
    StateReader::Take take;
    // What there is to report.
    std::function<TargetHealth(const TargetName&)> health;
    std::function<std::set<TargetName>()> targets;
    std::function<std::map<std::string, ServedListeners>()> listeners;
    // For the log.
    std::function<void(const std::string&)> say;
  };

  Follower(EventLoop& loop, std::string path, World world);

  // Tries at once; what goes wrong is tried again.
  void start() { connect(); }
  // Asks for the whole state anew.
  void restart();

  void target_changed(const TargetName& name);
  void listeners_changed();

  bool connected() const { return socket_ != nullptr; }
  uint64_t generation() const { return generation_; }
  struct Counters {
    uint64_t connections = 0;
    uint64_t states = 0;   // taken
    uint64_t refused = 0;  // connections that ended because of what the daemon said
  };
  const Counters& counters() const { return counters_; }

 private:
  void connect();
  void lost(const std::string& reason);
  Result<> take_line(std::string_view line);
  Result<> take_state(const Config& state, uint64_t generation);
  void report();
  bool write_report();

  EventLoop& loop_;
  std::string path_;
  World world_;
  StateReader reader_;
  std::unique_ptr<LineSocket> socket_;
  uint64_t generation_ = 0;
  bool in_step_ = false;  // has taken a state over this connection
  uint32_t again_ms_ = kAgainMinMs;
  std::string trouble_;  // said last
  std::set<TargetName> changed_targets_;
  bool listeners_changed_ = false;
  Counters counters_;
  Timer again_;
  Timer report_;
};

}  // namespace sluice::gateway
