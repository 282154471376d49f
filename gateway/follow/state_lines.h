// SPDX-License-Identifier: Apache-2.0
// What sluiced and sluice-proxy say to each other: lines of JSON over a unix socket.
//
// The daemon tells the application load balancers and their target groups, first the whole, then
// what each generation changes; objects are as the store has them (control/object_json.h):
//
//   {"begin":"whole"}
//   {"kind":"target_group","name":"web","object":{...}}
//   {"kind":"load_balancer","name":"shop","object":{...}}
//   {"end":7}
//   {"begin":"change"}
//   {"kind":"target_group","name":"web"}                 no object: it is gone
//   {"end":8}
//
// The proxy tells what it checks and where it listens:
//
//   {"targets":[{"target_group":"web","id":"10.0.0.1","port":80,"state":"healthy",
//                "reason":"","description":"200"}]}      state "unused": it is not checked any more
//   {"load_balancers":[{"name":"shop","listeners":[{"address":"10.0.0.9:80","trouble":""}]}]}
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/application_reports.h"
#include "gateway/control/model.h"
#include "gateway/control/object_change.h"
#include "gateway/follow/line_socket.h"
#include "tunnels/result.h"

namespace sluice::gateway {

inline constexpr size_t kStateLineMax = 1 << 20;     // of the daemon: one object
inline constexpr size_t kStateObjectsMax = 1024;     // in one state or change
inline constexpr size_t kStateUnsentMax = 64 << 20;  // of the daemon, for one proxy
inline constexpr size_t kReportLineMax = 256 << 10;  // of a proxy
inline constexpr size_t kReportTargetsMax = 256;     // in one line
inline constexpr size_t kReportUnsentMax = 4 << 20;

// Of a state, what concerns applications, without what only the daemon needs: names of the topology
// become addresses. Valid on its own.
Config application_part(const Config& config);

std::string begin_line(bool whole);
std::string end_line(uint64_t generation);
std::string object_line(const ObjectChange& change);

// Puts lines of the daemon together.
class StateReader {
 public:
  // A whole new state, valid.
  using Take = std::function<Result<>(const Config& state, uint64_t generation)>;

  explicit StateReader(Take take) : take_(std::move(take)) {}
  Result<> take_line(std::string_view line);
  // The next line begins a conversation.
  void restart() { inside_ = false; }
  const Config& state() const { return state_; }

 private:
  Result<> add_object(std::string_view kind, const std::string& name, const std::string& object);
  Result<> end(uint64_t generation);

  Take take_;
  Config state_, next_;
  bool inside_ = false;
  size_t objects_ = 0;
};

// What a proxy says.
struct TargetReport {
  TargetName name;
  TargetHealth health;
};
std::string targets_line(const std::vector<TargetReport>& reports);
std::string balancers_line(const std::map<std::string, ServedListeners>& balancers);

struct ProxyReport {
  std::vector<TargetReport> targets;
  bool has_balancers = false;
  std::map<std::string, ServedListeners> balancers;
};
Result<ProxyReport> parse_report(std::string_view line);

}  // namespace sluice::gateway
