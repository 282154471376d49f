// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/rules.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace sluice::gateway {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_wild(char c) { return c == '*' || c == '?'; }

IpAddress ip_of(const SocketAddress& socket) {
  IpAddress out;
  if (socket.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(socket.raw());
    out.words[0] = v4->sin_addr.s_addr;
    return out;
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(socket.raw());
  out.version = 6;
  std::memcpy(out.words, &v6->sin6_addr, sizeof out.words);
  return out;
}

std::string_view query_of(const RequestHead& request) {
  const size_t begin = request.path.size() + 1;
  return begin < request.target.size() ? request.target.substr(begin) : std::string_view();
}

bool has_pair(std::string_view query, const QueryPair& wanted) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = pair.find('=');
    const std::string_view key = pair.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if ((wanted.key.empty() || wildcard_match(wanted.key, key, true, true)) &&
        wildcard_match(wanted.value, value, true, true))
      return true;
  }
  return false;
}

bool has_header(const RequestHead& request, std::string_view name, const std::string& pattern) {
  return std::ranges::any_of(request.all(), [&](const HttpHeader& header) {
    return equals_ignore_case(header.name, name) && wildcard_match(pattern, header.value, true);
  });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

struct Keyword {
  std::string_view word;  // "#{host}"
  std::string_view value;
};

// One pass, so that nothing that a client sent is taken for a keyword.
std::string fill(std::string_view text, std::initializer_list<Keyword> keywords) {
  std::string out;
  while (!text.empty()) {
    const auto* found = std::ranges::find_if(
        keywords, [&](const Keyword& keyword) { return text.starts_with(keyword.word); });
    if (found == keywords.end()) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += found->value;
      text.remove_prefix(found->word.size());
    }
  }
  return out;
}

}  // namespace

// On a mismatch the last star takes one character more; earlier stars need no second try.
bool wildcard_match(std::string_view pattern, std::string_view text, bool ignore_case,
                    bool escapes) {
  size_t p = 0, t = 0;
  size_t star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    const bool escaped = escapes && p + 1 < pattern.size() && pattern[p] == '\\' &&
                         (is_wild(pattern[p + 1]) || pattern[p + 1] == '\\');
    const char c = p < pattern.size() ? pattern[p + (escaped ? 1 : 0)] : '\0';
    if (p < pattern.size() && !escaped && c == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && ((!escaped && c == '?') || c == text[t] ||
                                      (ignore_case && lower(c) == lower(text[t])))) {
      p += escaped ? 2 : 1;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Plan::Plan(uint32_t priority, const Action& action, const FindPool& find)
    : priority_(priority), redirect_(action.redirect), fixed_response_(action.fixed_response) {
  for (const WeightedGroup& group : groups_of(action)) {
    groups_.push_back({find(group.target_group), group.weight});
    weights_ += group.weight;
  }
}

// Each turn everyone earns its weight, and the richest pays for all.
const std::shared_ptr<TargetPool>& Plan::choose() {
  if (groups_.size() == 1) return groups_.front().pool;
  for (Group& group : groups_) group.credit += group.weight;
  Group& richest = *std::ranges::max_element(groups_, {}, &Group::credit);
  richest.credit -= weights_;
  return richest.pool;
}

RuleTable::RuleTable(const Listener& listener, const Plan::FindPool& find)
    : default_(0, listener.default_action, find) {
  for (const Rule& rule : listener.rules) {
    Entry entry{{}, Plan(rule.priority, rule.action, find)};
    for (const Condition& condition : rule.conditions) {
      Test& test = entry.tests.emplace_back(Test{condition, {}});
      if (condition.field != ConditionField::kSourceIp) continue;
      for (const std::string& value : condition.values)
        if (const auto prefix = parse_prefix(value)) test.prefixes.push_back(*prefix);
    }
    entries_.push_back(std::move(entry));
  }
  std::ranges::sort(entries_, {}, [](const Entry& entry) { return entry.plan.priority(); });
}

bool RuleTable::holds(const Test& test, const RequestHead& request, const SocketAddress& client) {
  const Condition& condition = test.condition;
  const auto any_value = [&](const auto& good) {
    return std::ranges::any_of(condition.values, good);
  };
  switch (condition.field) {
    case ConditionField::kHostHeader:
      return any_value([&](const auto& v) { return wildcard_match(v, request.host_name, true); });
    case ConditionField::kPathPattern:
      return any_value([&](const auto& v) { return wildcard_match(v, request.path, false); });
    case ConditionField::kHttpHeader:
      return any_value([&](const auto& v) { return has_header(request, condition.header, v); });
    case ConditionField::kHttpRequestMethod:
      return any_value([&](const auto& v) { return v == request.method; });
    case ConditionField::kQueryString:
      return std::ranges::any_of(condition.pairs,
                                 [&](const auto& p) { return has_pair(query_of(request), p); });
    case ConditionField::kSourceIp:
      return std::ranges::any_of(test.prefixes,
                                 [&](const auto& p) { return p.contains(ip_of(client)); });
  }
  return false;
}

Plan& RuleTable::route(const RequestHead& request, const SocketAddress& client) {
  for (Entry& entry : entries_) {
    bool all =
        std::ranges::all_of(entry.tests, [&](const Test& t) { return holds(t, request, client); });
    if (all) return entry.plan;
  }
  return default_;
}

std::string redirect_location(const Redirect& redirect, const RequestHead& request,
                              std::string_view host, std::string_view port) {
  if (!request.host_name.empty()) host = request.host_name;
  const std::string_view path = request.path.substr(request.path.starts_with('/') ? 1 : 0);
  const auto filled = [&](std::string_view text) {
    return fill(text, {{"#{protocol}", "http"},
                       {"#{host}", host},
                       {"#{port}", port},
                       {"#{path}", path},
                       {"#{query}", query_of(request)}});
  };
  std::string out = lower_case(filled(redirect.protocol)) + "://" + filled(redirect.host) + ":" +
                    filled(redirect.port) + filled(redirect.path);
  const std::string query = filled(redirect.query);
  return query.empty() ? out : out + "?" + query;
}

}  // namespace sluice::gateway
