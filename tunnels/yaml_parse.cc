// SPDX-License-Identifier: Apache-2.0
// yaml-cpp's event stream as YamlNode. Its own tree is not used: it expands aliases, keeps the
// first of two equal keys without a word, and loses positions of keys.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "tunnels/yaml.h"

namespace sluice::tunnels {
namespace {

// Ends the parse from inside a callback; never leaves parse_yaml().
struct Stop {};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(YamlNode& root, YamlErrors& errors) : root_(root), errors_(errors) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    stop(mark, "anchors (&name) are not accepted");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(mark, "aliases (*name) are not accepted");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (wants_key()) stop(mark, "a key must be a word");
    (void)place(mark, YamlNode::Kind::kNull);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    const bool quoted = tag == "!";
    if (!quoted && !tag.empty() && tag != "?") stop(mark, "tags (!name) are not accepted");
    if (wants_key()) return take_key(mark, value);
    YamlNode& node = place(mark, YamlNode::Kind::kScalar);
    node.scalar = value;
    node.quoted = quoted;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, YamlNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { stack_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { stack_.pop_back(); }

 private:
  [[noreturn]] void stop(const YAML::Mark& mark, std::string what) {
    errors_.add(mark.line + 1, mark.column + 1, {}, std::move(what));
    throw Stop{};
  }

  bool wants_key() const {
    return !stack_.empty() && stack_.back()->kind == YamlNode::Kind::kMap &&
           stack_.back()->keys.size() == stack_.back()->children.size();
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    YamlNode& map = *stack_.back();
    if (key == "<<") stop(mark, "merge keys (<<) are not accepted");
    if (map.find(key) != nullptr)
      errors_.add(mark.line + 1, mark.column + 1, map.path, "key '" + key + "' is there twice");
    map.keys.push_back(key);
  }

  // The place of the next value. References stay valid: a node's children grow only while that
  // node, and none of its children, is on top of the stack.
  YamlNode& place(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (++nodes_ > kYamlNodesMax)
      stop(mark, "more than " + std::to_string(kYamlNodesMax) + " values");
    YamlNode* node = &root_;
    if (!stack_.empty()) {
      YamlNode& parent = *stack_.back();
      std::string path = parent.path;
      if (parent.kind == YamlNode::Kind::kSequence)
        path += "[" + std::to_string(parent.children.size()) + "]";
      else
        path += (path.empty() ? "" : ".") + parent.keys.back();
      node = &parent.children.emplace_back();
      node->path = std::move(path);
    }
    node->kind = kind;
    node->line = mark.line + 1;
    node->column = mark.column + 1;
    return *node;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YamlNode::Kind kind) {
    if (!tag.empty() && tag != "?" && tag != "!") stop(mark, "tags (!name) are not accepted");
    if (wants_key()) stop(mark, "a key must be a word");
    if (stack_.size() >= static_cast<size_t>(kYamlDepthMax))
      stop(mark, "nested deeper than " + std::to_string(kYamlDepthMax));
    stack_.push_back(&place(mark, kind));
  }

  YamlNode& root_;
  YamlErrors& errors_;
  std::vector<YamlNode*> stack_;
  size_t nodes_ = 0;
};

}  // namespace

YamlNode parse_yaml(std::string_view text, YamlErrors& errors) {
  YamlNode root;
  if (text.size() > kYamlFileBytesMax) {
    errors.add(root, "larger than " + std::to_string(kYamlFileBytesMax) + " bytes");
    return root;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(root, errors);
    if (!parser.HandleNextDocument(builder)) errors.add(root, "the file is empty");
    YamlNode second;
    YamlErrors unused("");
    TreeBuilder rest(second, unused);
    if (parser && parser.HandleNextDocument(rest))
      errors.add(second, "a second document; only one is accepted");
    return root;
  } catch (const Stop&) {
  } catch (const YAML::Exception& error) {
    errors.add(std::max(error.mark.line, 0) + 1, std::max(error.mark.column, 0) + 1, {},
               "not YAML: " + error.msg);
  } catch (const std::exception& error) {
    errors.add(root, std::string("not YAML: ") + error.what());
  }
  if (errors.empty()) errors.add(root, "a second document; only one is accepted");
  return {};
}

}  // namespace sluice::tunnels
