// SPDX-License-Identifier: Apache-2.0
#include "tunnels/yaml.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <numeric>

namespace sluice::tunnels {
namespace {

constexpr std::string_view kKindNames[] = {"nothing", "a value", "a list", "a map"};

// Whether `path` is `above` or a path in it.
bool is_in(std::string_view path, std::string_view above) {
  if (!path.starts_with(above)) return false;
  return path.size() == above.size() || above.empty() || path[above.size()] == '.' ||
         path[above.size()] == '[';
}

std::string found(const YamlNode& node) {
  return std::string(kKindNames[static_cast<int>(node.kind)]);
}

std::string shortened(const std::string& text) {
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Without regard to case.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (size_t i = 0; i < keys.size(); i++) {
    if (keys[i] == key) return &children[i];
  }
  return nullptr;
}

const YamlNode& YamlNode::nearest(std::string_view wanted) const {
  for (const YamlNode& child : children)
    if (is_in(wanted, child.path)) return child.nearest(wanted);
  return *this;
}

bool YamlErrors::concerns(std::string_view path) const {
  // What it is missing from: a map, and the list that the map would be in.
  std::string_view map = path.substr(0, std::min(path.find_last_of(".["), path.size()));
  std::string_view list = map.substr(0, std::min(map.find_last_of(".["), map.size()));
  return std::ranges::any_of(errors_, [&](const Entry& entry) {
    return is_in(entry.path, path) || (entry.path == map && map.size() < path.size()) ||
           (entry.path == list && map.ends_with(']'));
  });
}

void YamlErrors::add(const YamlNode& node, std::string what) {
  add(node.line, node.column, node.path, std::move(what));
}

void YamlErrors::add(int line, int column, const std::string& path, std::string what) {
  if (errors_.size() >= kYamlErrorsMax) {
    not_kept_++;
    return;
  }
  std::string where = file_ + ":" + std::to_string(line) + ":" + std::to_string(column);
  if (!path.empty()) where += ": " + path;
  errors_.push_back({line, column, path, Error{std::move(what), std::move(where), {}}});
}

std::vector<Error> YamlErrors::take() {
  std::stable_sort(errors_.begin(), errors_.end(), [](const Entry& a, const Entry& b) {
    return a.line != b.line ? a.line < b.line : a.column < b.column;
  });
  std::vector<Error> out;
  for (Entry& entry : errors_) out.push_back(std::move(entry.error));
  if (not_kept_ != 0) out.push_back({std::to_string(not_kept_) + " further errors", file_, {}});
  errors_.clear();
  not_kept_ = 0;
  return out;
}

Result<std::string> read_yaml_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail_errno("cannot open", path);
  std::string text(kYamlFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail_errno("cannot read", path);
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kYamlFileBytesMax)
    return fail("larger than " + std::to_string(kYamlFileBytesMax) + " bytes", path);
  return text;
}

bool read_yaml(const YamlNode& node, YamlErrors& errors, std::string& out) {
  if (node.kind != YamlNode::Kind::kScalar) {
    errors.add(node, "expected a word, found " + found(node));
    return false;
  }
  out = node.scalar;
  return true;
}

bool read_yaml(const YamlNode& node, YamlErrors& errors, bool& out) {
  const bool plain = node.kind == YamlNode::Kind::kScalar && !node.quoted;
  if (!plain || (node.scalar != "true" && node.scalar != "false")) {
    errors.add(node, "expected true or false, found " +
                         (plain ? "'" + shortened(node.scalar) + "'" : found(node)));
    return false;
  }
  out = node.scalar == "true";
  return true;
}

bool read_yaml_integer(const YamlNode& node, YamlErrors& errors, uint64_t min, uint64_t max,
                       uint64_t& out) {
  if (node.kind != YamlNode::Kind::kScalar || node.quoted) {
    errors.add(node, "expected a number, found " + (node.quoted ? "a quoted word" : found(node)));
    return false;
  }
  const bool hex = node.scalar.starts_with("0x");
  const char* begin = node.scalar.data() + (hex ? 2 : 0);
  const char* end = node.scalar.data() + node.scalar.size();
  uint64_t number = 0;
  const auto [stop, error] = std::from_chars(begin, end, number, hex ? 16 : 10);
  const bool negative = node.scalar.starts_with("-");
  if (!negative && error != std::errc::result_out_of_range && (stop != end || begin == end)) {
    errors.add(node, "expected a number, found '" + shortened(node.scalar) + "'");
    return false;
  }
  if (negative || error != std::errc() || number < min || number > max) {
    errors.add(node, shortened(node.scalar) + " is not between " + std::to_string(min) + " and " +
                         std::to_string(max));
    return false;
  }
  out = number;
  return true;
}

void each_yaml(const YamlNode& node, YamlErrors& errors, size_t max,
               const std::function<void(const YamlNode&)>& element) {
  if (node.kind != YamlNode::Kind::kSequence) {
    errors.add(node, "expected a list, found " + found(node));
    return;
  }
  if (node.children.size() > max) {
    errors.add(node, std::to_string(node.children.size()) + " elements; at most " +
                         std::to_string(max) + " are possible");
    return;
  }
  for (const YamlNode& child : node.children) element(child);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr size_t kWordMax = 64;
  if (word.size() > kWordMax) return {};
  size_t best = std::max<size_t>(1, word.size() / 3) + 1;
  std::string_view choice;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kWordMax || candidate == word) continue;
    const size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      choice = candidate;
    }
  }
  if (choice.empty()) return {};
  return ", did you mean '" + std::string(choice) + "'?";
}

YamlMap::YamlMap(const YamlNode& node, YamlErrors& errors) : node_(node), errors_(errors) {
  if (!is_map()) errors_.add(node, "expected a map, found " + found(node));
}

const YamlNode* YamlMap::find(std::string_view key) {
  asked_.push_back(key);
  const YamlNode* value = node_.find(key);
  return value != nullptr && value->kind != YamlNode::Kind::kNull ? value : nullptr;
}

const YamlNode* YamlMap::require(std::string_view key) {
  const YamlNode* value = find(key);
  if (value == nullptr && is_map()) errors_.add(node_, "'" + std::string(key) + "' is missing");
  return value;
}

bool YamlMap::read(std::string_view key, std::string& out) {
  const YamlNode* value = find(key);
  return value != nullptr && read_yaml(*value, errors_, out);
}

bool YamlMap::read(std::string_view key, bool& out) {
  const YamlNode* value = find(key);
  return value != nullptr && read_yaml(*value, errors_, out);
}

bool YamlMap::require_string(std::string_view key, std::string& out) {
  const YamlNode* value = require(key);
  return value != nullptr && read_yaml(*value, errors_, out);
}

int YamlMap::choice(std::string_view key, std::initializer_list<std::string_view> words) {
  const YamlNode* value = find(key);
  std::string word;
  if (value == nullptr || !read_yaml(*value, errors_, word)) return -1;
  const auto at = std::find(words.begin(), words.end(), word);
  if (at != words.end()) return static_cast<int>(at - words.begin());
  std::string list;
  for (std::string_view possible : words)
    list += (list.empty() ? "" : ", ") + std::string(possible);
  errors_.add(*value, "'" + shortened(word) + "' is not one of: " + list);
  return -1;
}

void YamlMap::each(std::string_view key, size_t max,
                   const std::function<void(const YamlNode&)>& element) {
  const YamlNode* value = find(key);
  if (value != nullptr) each_yaml(*value, errors_, max, element);
}

void YamlMap::refuse(std::initializer_list<std::string_view> keys, std::string_view reason) {
  for (std::string_view key : keys) {
    const YamlNode* value = node_.find(key);
    if (value == nullptr) continue;
    errors_.add(*value, "'" + std::string(key) + "' " + std::string(reason));
    refused_.push_back(key);
  }
}

void YamlMap::finish() {
  for (size_t i = 0; i < node_.keys.size(); i++) {
    const std::string& key = node_.keys[i];
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    if (std::find(refused_.begin(), refused_.end(), key) != refused_.end()) continue;
    errors_.add(node_.children[i],
                "unknown key '" + shortened(key) + "'" + did_you_mean(key, asked_));
  }
}

}  // namespace sluice::tunnels
