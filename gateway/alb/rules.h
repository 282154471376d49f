// SPDX-License-Identifier: Apache-2.0
// What becomes of a request: the rules of a listener, lowest priority first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "gateway/proxy/http1.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {

class TargetPool;

// * stands for any characters or none, ? for exactly one; with `escapes` a backslash before one of
// them (or of itself) takes that away. Time is at most pattern times text.
bool wildcard_match(std::string_view pattern, std::string_view text, bool ignore_case,
                    bool escapes = false);

// An action with its target groups at hand.
class Plan {
 public:
  using FindPool = std::function<std::shared_ptr<TargetPool>(const std::string& group)>;

  Plan(uint32_t priority, const Action& action, const FindPool& find);

  uint32_t priority() const { return priority_; }  // 0: the default action
  const std::optional<Redirect>& redirect() const { return redirect_; }
  const std::optional<FixedResponse>& fixed_response() const { return fixed_response_; }
  // Whose turn it is: each group gets its weight's part of any run of requests as long as the sum
  // of the weights. Only of a plan that forwards.
  const std::shared_ptr<TargetPool>& choose();

 private:
  struct Group {
    std::shared_ptr<TargetPool> pool;
    int weight;
    int credit = 0;
  };
  uint32_t priority_;
  int weights_ = 0;
  std::vector<Group> groups_;
  std::optional<Redirect> redirect_;
  std::optional<FixedResponse> fixed_response_;
};

class RuleTable {
 public:
  RuleTable(const Listener& listener, const Plan::FindPool& find);

  // All conditions of a rule must hold, each with any of its values. Host names compare without
  // case and without a port, headers and queries without case, paths with case and without the
  // query, methods exactly. `client` is the other end of the connection.
  Plan& route(const RequestHead& request, const SocketAddress& client);

 private:
  struct Test {
    Condition condition;
    std::vector<Prefix> prefixes;  // source-ip
  };
  struct Entry {
    std::vector<Test> tests;
    Plan plan;
  };
  static bool holds(const Test& test, const RequestHead& request, const SocketAddress& client);

  std::vector<Entry> entries_;
  Plan default_;
};

// Where a redirect leads; `port` is the listener's, `host` stands in for a Host that an HTTP/1.0
// request lacks.
std::string redirect_location(const Redirect& redirect, const RequestHead& request,
                              std::string_view host, std::string_view port);

}  // namespace sluice::gateway
