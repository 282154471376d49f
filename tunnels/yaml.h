// SPDX-License-Identifier: Apache-2.0
// A strict reading of YAML files: every value knows its line, column and path, and every complaint
// is kept, so that a person sees all of a file's errors at once.
//
//   YamlErrors errors("demo.yaml");
//   YamlNode root = parse_yaml(text, errors);  // syntax, bounds, duplicate keys, no aliases
//   YamlMap map(root, errors);
//   map.read("name", name);                    // optional: keeps the default when absent
//   map.require_integer("port", port, 1, 65535);
//   map.each("targets", kTargetsMax, [&](const YamlNode& node) { ... });
//   map.finish();                              // names the keys that nobody asked for
//
// Not YAML here: anchors, aliases, merge keys, tags, keys that are not words, several documents.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tunnels/result.h"

namespace sluice::tunnels {

inline constexpr size_t kYamlFileBytesMax = 4 << 20;
inline constexpr int kYamlDepthMax = 32;
inline constexpr size_t kYamlNodesMax = 400'000;
inline constexpr size_t kYamlErrorsMax = 100;  // later ones are counted, not kept

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  bool quoted = false;             // a scalar written in quotes is a string, whatever it looks like
  int line = 1;                    // from 1
  int column = 1;                  // from 1
  std::string path;                // "target_groups[0].port"; empty for the document
  std::string scalar;              // kScalar
  std::vector<std::string> keys;   // kMap: in file order, one for each of `children`
  std::vector<YamlNode> children;  // kSequence: elements; kMap: values

  // The value at `key` of a map; nullptr when there is none or this is no map.
  const YamlNode* find(std::string_view key) const;
  // The node with this path, or the nearest one above it.
  const YamlNode& nearest(std::string_view wanted) const;
};

// Collects errors as Error{what, "file:line:column: path"}.
class YamlErrors {
 public:
  explicit YamlErrors(std::string file) : file_(std::move(file)) {}

  void add(const YamlNode& node, std::string what);
  void add(int line, int column, const std::string& path, std::string what);
  bool empty() const { return errors_.empty(); }
  size_t size() const { return errors_.size(); }
  // Whether an error is about the value at `path`, something in it, or the map that it is missing
  // from.
  bool concerns(std::string_view path) const;
  // The errors in file order.
  std::vector<Error> take();

 private:
  struct Entry {
    int line, column;
    std::string path;
    Error error;
  };
  std::string file_;
  std::vector<Entry> errors_;
  size_t not_kept_ = 0;
};

// The whole file, at most kYamlFileBytesMax bytes.
Result<std::string> read_yaml_file(const std::string& path);

// The one document in `text`; a null node after a syntax error.
YamlNode parse_yaml(std::string_view text, YamlErrors& errors);

// One value as a type. False, with an error added and `out` unchanged, when it is something else.
bool read_yaml(const YamlNode& node, YamlErrors& errors, std::string& out);
bool read_yaml(const YamlNode& node, YamlErrors& errors, bool& out);  // true | false
// Decimal, or hexadecimal with 0x.
bool read_yaml_integer(const YamlNode& node, YamlErrors& errors, uint64_t min, uint64_t max,
                       uint64_t& out);
// The elements of a sequence, at most `max`.
void each_yaml(const YamlNode& node, YamlErrors& errors, size_t max,
               const std::function<void(const YamlNode&)>& element);

// The candidate most like `word`, as ", did you mean 'x'?"; empty when none is close.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

// Reads one map key by key and remembers which keys it was asked for.
class YamlMap {
 public:
  // Adds an error when the node is no map; every key is absent then.
  YamlMap(const YamlNode& node, YamlErrors& errors);

  const YamlNode& node() const { return node_; }
  bool is_map() const { return node_.kind == YamlNode::Kind::kMap; }

  const YamlNode* find(std::string_view key);     // nullptr when absent or null
  const YamlNode* require(std::string_view key);  // the same, and absence is an error

  // Each returns whether `out` was set.
  bool read(std::string_view key, std::string& out);
  bool read(std::string_view key, bool& out);
  bool require_string(std::string_view key, std::string& out);
  template <class Integer>
  bool read_integer(std::string_view key, Integer& out, uint64_t min, uint64_t max) {
    return store(find(key), out, min, max);
  }
  template <class Integer>
  bool require_integer(std::string_view key, Integer& out, uint64_t min, uint64_t max) {
    return store(require(key), out, min, max);
  }
  // A word from a list; `out` becomes its index (or enumerator).
  template <class Enum>
  bool read_choice(std::string_view key, Enum& out, std::initializer_list<std::string_view> words) {
    const int index = choice(key, words);
    if (index >= 0) out = static_cast<Enum>(index);
    return index >= 0;
  }
  // Calls `element` for each element of the sequence at `key`, if there is one.
  void each(std::string_view key, size_t max, const std::function<void(const YamlNode&)>& element);

  // Accepts a key and its whole content unread.
  void ignore(std::string_view key) { (void)find(key); }
  // Keys that exist elsewhere (in AWS) but that this program does not act on: `reason` ends the
  // sentence
  // "'key' ...". To be called before finish().
  void refuse(std::initializer_list<std::string_view> keys, std::string_view reason);
  // Adds an error for each key that was never asked for. Call it last.
  void finish();

 private:
  template <class Integer>
  bool store(const YamlNode* value, Integer& out, uint64_t min, uint64_t max) {
    static_assert(std::is_integral_v<Integer>);
    uint64_t number = 0;
    if (value == nullptr || !read_yaml_integer(*value, errors_, min, max, number)) return false;
    out = static_cast<Integer>(number);
    return true;
  }
  int choice(std::string_view key, std::initializer_list<std::string_view> words);

  const YamlNode& node_;
  YamlErrors& errors_;
  std::vector<std::string_view> asked_;
  std::vector<std::string_view> refused_;
};

}  // namespace sluice::tunnels
