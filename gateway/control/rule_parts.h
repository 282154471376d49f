// SPDX-License-Identifier: Apache-2.0
// What the rules of an application load balancer are made of, in ELBv2's words: conditions on a
// request, and what is done with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tunnels/result.h"

namespace sluice::gateway {

enum class ConditionField {
  kHostHeader,
  kPathPattern,
  kHttpHeader,
  kHttpRequestMethod,
  kQueryString,
  kSourceIp
};
std::string_view condition_field_name(ConditionField field);  // "host-header"

struct QueryPair {
  std::string key;  // empty: any
  std::string value;
  bool operator==(const QueryPair&) const = default;
};

// Holds when any of its values does. * and ? are wildcards, except in methods and addresses.
struct Condition {
  ConditionField field = ConditionField::kPathPattern;
  std::vector<std::string> values;  // source-ip: prefixes such as 10.0.0.0/8
  std::string header;               // http-header: its name
  std::vector<QueryPair> pairs;     // query-string: in the place of `values`
  bool operator==(const Condition&) const = default;
};

inline constexpr size_t kConditionValuesMax = 16;
// What is wrong with it: Error::where is the part ("values[1]").
Result<> check_condition(const Condition& condition);

struct WeightedGroup {
  std::string target_group;
  uint16_t weight = 1;  // 0-999: its part of the requests; 0: none
  bool operator==(const WeightedGroup&) const = default;
};

// #{protocol}, #{host}, #{port}, #{path} (without its first slash) and #{query} stand for those of
// the request.
struct Redirect {
  std::string protocol = "#{protocol}";  // or HTTP, HTTPS
  std::string host = "#{host}";
  std::string port = "#{port}";  // or 1-65535
  std::string path = "/#{path}";
  std::string query = "#{query}";
  uint16_t status = 301;  // or 302
  bool operator==(const Redirect&) const = default;
};
Result<> check_redirect(const Redirect& redirect);

struct FixedResponse {
  uint16_t status = 503;     // 2xx, 4xx, 5xx
  std::string content_type;  // empty: text/plain
  std::string body;
  bool operator==(const FixedResponse&) const = default;
};
Result<> check_fixed_response(const FixedResponse& response);

inline constexpr size_t kWeightedGroupsMax = 5;
inline constexpr uint16_t kWeightMax = 999;

// Exactly one of the four.
struct Action {
  std::string target_group;             // forward to one group
  std::vector<WeightedGroup> weighted;  // forward to several, by weight; application only
  std::optional<Redirect> redirect;
  std::optional<FixedResponse> fixed_response;
  bool operator==(const Action&) const = default;
  bool is_forward() const { return !redirect && !fixed_response; }
};

// Where it forwards to: one group with weight 1, the weighted ones, or none.
std::vector<WeightedGroup> groups_of(const Action& action);
bool forwards_to(const Action& action, std::string_view target_group);

}  // namespace sluice::gateway
