// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/rule_parts.h"

#include <algorithm>
#include <charconv>

#include "gateway/control/address.h"

namespace sluice::gateway {
namespace {

constexpr size_t kValueLengthMax = 128;
constexpr size_t kHeaderLengthMax = 40;
constexpr size_t kMethodLengthMax = 40;
constexpr size_t kBodyBytesMax = 1024;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 9110 5.6.2
bool is_token(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return is_letter_or_digit(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 127; });
}

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
}

std::string at(const char* list, size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

Result<> check_value(ConditionField field, const std::string& value) {
  switch (field) {
    case ConditionField::kHttpRequestMethod:
      if (value.empty() || value.size() > kMethodLengthMax || !is_token(value))
        return fail("expected a method of 1 to 40 characters");
      return {};
    case ConditionField::kSourceIp:
      if (auto prefix = parse_prefix(value); !prefix) return fail(prefix.error().what);
      return {};
    default:
      if (value.empty() || value.size() > kValueLengthMax)
        return fail("expected 1 to 128 characters");
      return is_printable(value) ? Result<>() : fail("expected printable ASCII characters");
  }
}

Result<> check_pair(const QueryPair& pair) {
  if (pair.key.size() > kValueLengthMax) return fail("a key has at most 128 characters");
  if (!is_printable(pair.key)) return fail("expected printable ASCII characters");
  return check_value(ConditionField::kQueryString, pair.value);
}

// Every #{...} in it is one of `keywords`.
bool has_only(std::string_view text, std::initializer_list<std::string_view> keywords) {
  for (size_t begin = 0; (begin = text.find("#{", begin)) != text.npos;) {
    const size_t end = text.find('}', begin);
    if (end == text.npos) return false;
    const std::string_view word = text.substr(begin + 2, end - begin - 2);
    if (std::ranges::find(keywords, word) == keywords.end()) return false;
    begin = end;
  }
  return true;
}

bool is_port(std::string_view text) {
  uint32_t port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && stop == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

std::string_view condition_field_name(ConditionField field) {
  constexpr std::string_view kNames[] = {"host-header",         "path-pattern", "http-header",
                                         "http-request-method", "query-string", "source-ip"};
  return kNames[static_cast<int>(field)];
}

Result<> check_condition(const Condition& condition) {
  const bool query = condition.field == ConditionField::kQueryString;
  const size_t count = query ? condition.pairs.size() : condition.values.size();
  if (count == 0) return fail("a condition needs at least one value", "values");
  if (count > kConditionValuesMax) return fail("at most 16 values are possible", "values");
  for (size_t i = 0; i < count; i++) {
    auto good =
        query ? check_pair(condition.pairs[i]) : check_value(condition.field, condition.values[i]);
    if (!good) return fail(good.error().what, at("values", i));
  }
  const bool needs_header = condition.field == ConditionField::kHttpHeader;
  if (needs_header && (condition.header.empty() || condition.header.size() > kHeaderLengthMax ||
                       !is_token(condition.header)))
    return fail("expected the name of a header, 1 to 40 characters", "header");
  if (!needs_header && !condition.header.empty())
    return fail("only a condition on http-header names one", "header");
  return {};
}

Result<> check_redirect(const Redirect& redirect) {
  const auto good = [](const std::string& text, std::initializer_list<std::string_view> words) {
    return text.size() <= kValueLengthMax && is_visible(text) && has_only(text, words);
  };
  constexpr const char* kSyntax =
      "expected at most 128 visible characters; of #{...} there are "
      "protocol, host, port, path and query";
  if (redirect.protocol != "#{protocol}" && redirect.protocol != "HTTP" &&
      redirect.protocol != "HTTPS")
    return fail("expected HTTP, HTTPS or #{protocol}", "protocol");
  if (redirect.host.empty() || !good(redirect.host, {"host"}) ||
      redirect.host.find('/') != std::string::npos)
    return fail("expected 1 to 128 visible characters without '/'; of #{...} there is host",
                "host");
  if (redirect.port != "#{port}" && !is_port(redirect.port))
    return fail("expected a port or #{port}", "port");
  const std::initializer_list<std::string_view> words = {"protocol", "host", "port", "path",
                                                         "query"};
  if (!redirect.path.starts_with('/') || !good(redirect.path, words)) return fail(kSyntax, "path");
  if (redirect.query.starts_with('?') || !good(redirect.query, words))
    return fail(kSyntax, "query");
  if (redirect.status != 301 && redirect.status != 302)
    return fail("expected 301 or 302", "status");
  Redirect same;
  same.status = redirect.status;
  if (redirect == same) return fail("it leads to where it comes from", "protocol");
  return {};
}

Result<> check_fixed_response(const FixedResponse& response) {
  constexpr std::string_view kTypes[] = {
      "", "text/plain", "text/css", "text/html", "application/javascript", "application/json"};
  const int kind = response.status / 100;
  if (kind != 2 && kind != 4 && kind != 5)
    return fail("expected a status of 200-299 or 400-599", "status");
  if (std::ranges::find(kTypes, response.content_type) == std::end(kTypes))
    return fail(
        "expected text/plain, text/css, text/html, application/javascript or "
        "application/json",
        "content_type");
  if (response.body.size() > kBodyBytesMax) return fail("a body has at most 1024 bytes", "body");
  return {};
}

std::vector<WeightedGroup> groups_of(const Action& action) {
  if (!action.weighted.empty()) return action.weighted;
  if (!action.is_forward()) return {};
  return {{action.target_group, 1}};
}

bool forwards_to(const Action& action, std::string_view target_group) {
  return std::ranges::any_of(groups_of(action), [&](const WeightedGroup& group) {
    return group.target_group == target_group;
  });
}

}  // namespace sluice::gateway
