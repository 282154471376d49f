// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/params.h"

#include <algorithm>
#include <charconv>

namespace sluice::gateway {
namespace {

std::string first_unused(const FormNode& node, const std::string& path) {
  if (node.is_set && !node.used) return path;
  for (const auto& [name, child] : node.children) {
    std::string below = path;
    below.append(path.empty() ? "" : ".").append(name);
    std::string found = first_unused(child, below);
    if (!found.empty()) return found;
  }
  return {};
}

}  // namespace

void Params::fail(const char* code, std::string message) {
  if (!error_) error_ = AwsError{code, std::move(message)};
}

void Params::invalid(std::string_view name, const std::string& what) {
  fail(codes_.invalid, "'" + place(name) + "' " + what);
}

const FormNode* Params::use(std::string_view name) {
  const FormNode* child = node_.child(name);
  if (child != nullptr) child->used = true;
  return child;
}

std::optional<std::string> Params::text(std::string_view name) {
  const FormNode* child = use(name);
  if (child == nullptr) return std::nullopt;
  if (!child->is_set) {
    invalid(name, "must be a single value");
    return std::nullopt;
  }
  return child->value;
}

std::string Params::require(std::string_view name) {
  auto value = text(name);
  if (value && !value->empty()) return *std::move(value);
  fail(codes_.missing, "'" + place(name) + "' must be given");
  return {};
}

std::optional<uint64_t> Params::number(std::string_view name, uint64_t least, uint64_t most) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  uint64_t out = 0;
  const auto [stop, error] = std::from_chars(value->data(), value->data() + value->size(), out);
  const bool whole = error == std::errc() && stop == value->data() + value->size();
  if (whole && out >= least && out <= most) return out;
  invalid(name, "must be a number from " + std::to_string(least) + " to " + std::to_string(most));
  return std::nullopt;
}

std::optional<bool> Params::boolean(std::string_view name) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  if (*value != "true" && *value != "false") invalid(name, "must be true or false");
  return *value == "true";
}

std::optional<std::string> Params::choice(std::string_view name,
                                          std::initializer_list<std::string_view> words) {
  auto value = text(name);
  if (!value || std::ranges::find(words, *value) != words.end()) return value;
  std::string known;
  for (const std::string_view word : words) known.append(known.empty() ? "" : ", ").append(word);
  invalid(name, "is '" + *value + "', and must be one of: " + known);
  return std::nullopt;
}

std::vector<const FormNode*> Params::elements(std::string_view name, size_t count_max) {
  const FormNode* child = use(name);
  if (child == nullptr) return {};
  // "Names=" is an empty list.
  if (child->is_set && !child->value.empty()) invalid(name, "must be a list");
  auto list = form_list(*child);
  if (!list) {
    invalid(name, "must be a list: " + list.error().what);
    return {};
  }
  if (list->size() > count_max) {
    invalid(name, "has more than " + std::to_string(count_max) + " elements");
    return {};
  }
  return *std::move(list);
}

std::vector<std::string> Params::texts(std::string_view name, size_t count_max) {
  std::vector<std::string> out;
  for (const FormNode* element : elements(name, count_max)) {
    element->used = true;
    if (!element->is_set) invalid(name, "must be a list of single values");
    out.push_back(element->value);
  }
  return out;
}

std::vector<Params> Params::structures(std::string_view name, size_t count_max) {
  std::vector<Params> out;
  size_t number = 0;
  for (const FormNode* element : elements(name, count_max))
    out.emplace_back(*element, codes_, error_, place(name) + "[" + std::to_string(++number) + "].");
  return out;
}

std::optional<Params> Params::structure(std::string_view name) {
  const FormNode* child = node_.child(name);
  if (child == nullptr) return std::nullopt;
  return Params(*child, codes_, error_, place(name) + ".");
}

void Params::unavailable(std::string_view name, const char* code, const std::string& message) {
  if (has(name)) fail(code, message);
}

AwsResult<> Params::finish() const {
  if (error_) return tl::unexpected<AwsError>(*error_);
  const std::string unknown = first_unused(node_, {});
  if (unknown.empty()) return {};
  return refuse(codes_.unknown, "'" + unknown + "' is no parameter that this action has here");
}

}  // namespace sluice::gateway
