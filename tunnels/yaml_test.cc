// SPDX-License-Identifier: Apache-2.0
#include "tunnels/yaml.h"

#include <gtest/gtest.h>

namespace sluice::tunnels {
namespace {

std::string all(YamlErrors& errors) {
  std::string text;
  for (const Error& error : errors.take()) text += error.text() + "\n";
  return text;
}

std::string errors_of(std::string_view yaml) {
  YamlErrors errors("f");
  parse_yaml(yaml, errors);
  return all(errors);
}

TEST(Yaml, EveryValueKnowsItsPlace) {
  YamlErrors errors("f");
  const YamlNode root = parse_yaml("a:\n  - x: 1\n    y: [2, '3']\n", errors);
  ASSERT_TRUE(errors.empty()) << all(errors);
  const YamlNode* y = root.find("a")->children[0].find("y");
  ASSERT_NE(y, nullptr);
  EXPECT_EQ(y->children[1].path, "a[0].y[1]");
  EXPECT_EQ(y->children[1].line, 3);
  EXPECT_EQ(y->children[1].column, 12);
  EXPECT_TRUE(y->children[1].quoted);
  EXPECT_FALSE(y->children[0].quoted);
}

TEST(Yaml, RefusesWhatIsNotStrict) {
  EXPECT_EQ(errors_of("a: 1\nb: 2\na: 3\n"), "f:3:1: key 'a' is there twice\n");
  EXPECT_EQ(errors_of("a: &x 1\nb: *x\n"), "f:1:4: anchors (&name) are not accepted\n");
  EXPECT_EQ(errors_of("a: {<<: 1}\n"), "f:1:5: merge keys (<<) are not accepted\n");
  EXPECT_EQ(errors_of("a: !!int 1\n"), "f:1:4: tags (!name) are not accepted\n");
  EXPECT_EQ(errors_of("[a]: 1\n"), "f:1:1: a key must be a word\n");
  EXPECT_EQ(errors_of(""), "f:1:1: the file is empty\n");
  EXPECT_NE(errors_of("a: 1\n---\nb: 2\n").find("a second document"), std::string::npos);
  EXPECT_NE(errors_of("a: 1\n---\nb: &c 2\n").find("a second document"), std::string::npos);
  EXPECT_NE(errors_of("a: [1\n").find("not YAML"), std::string::npos);
  EXPECT_NE(errors_of("a: *x\n").find("f:1:4"), std::string::npos);
}

TEST(Yaml, IsBounded) {
  for (size_t depth : {40, 100'000}) {
    const std::string nested = std::string(depth, '[') + std::string(depth, ']');
    EXPECT_NE(errors_of(nested).find("nested deeper"), std::string::npos);
    EXPECT_NE(errors_of(std::string(depth, '[')), "");
  }
  std::string many = "[";
  for (size_t i = 0; i <= kYamlNodesMax; i++) many += "1,";
  EXPECT_NE(errors_of(many + "]").find("more than 400000 values"), std::string::npos);
  EXPECT_NE(errors_of(std::string(kYamlFileBytesMax + 1, ' ')).find("larger than"),
            std::string::npos);
}

TEST(Yaml, MapReadsTypesAndNamesTheRest) {
  YamlErrors errors("f");
  const YamlNode root = parse_yaml(
      "name: x\nport: 70000\nflag: maybe\nhex: 0xfF\nkind: b\nneg: -1\nquoted: '5'\ntragets: "
      "[]\nempty:\n"
      "big: 99999999999999999999\n",
      errors);
  YamlMap map(root, errors);
  std::string name;
  uint16_t port = 5;
  bool flag = true;
  int hex = 0, kind = 0, number = 7;
  EXPECT_TRUE(map.read("name", name));
  EXPECT_FALSE(map.require_integer("port", port, 1, 65535));
  EXPECT_FALSE(map.read("flag", flag));
  EXPECT_TRUE(map.read_integer("hex", hex, 0, 255));
  EXPECT_TRUE(map.read_choice("kind", kind, {"a", "b"}));
  EXPECT_FALSE(map.read_integer("neg", number, 0, 9));
  EXPECT_FALSE(map.read_integer("quoted", number, 0, 9));
  EXPECT_FALSE(map.read_integer("empty", number, 0, 9));
  EXPECT_FALSE(map.read_integer("big", number, 0, 9));
  EXPECT_EQ(map.require("gone"), nullptr);
  map.each("targets", 4, [](const YamlNode&) {});
  map.finish();
  EXPECT_EQ(name, "x");
  EXPECT_EQ(port, 5);
  EXPECT_EQ(hex, 255);
  EXPECT_EQ(kind, 1);
  EXPECT_EQ(number, 7);
  EXPECT_EQ(all(errors),
            "f:1:1: 'gone' is missing\n"
            "f:2:7: port: 70000 is not between 1 and 65535\n"
            "f:3:7: flag: expected true or false, found 'maybe'\n"
            "f:6:6: neg: -1 is not between 0 and 9\n"
            "f:7:9: quoted: expected a number, found a quoted word\n"
            "f:8:10: tragets: unknown key 'tragets', did you mean 'targets'?\n"
            "f:10:6: big: 99999999999999999999 is not between 0 and 9\n");
}

TEST(Yaml, PathsLeadToNodesAndErrors) {
  YamlErrors errors("f");
  const YamlNode root = parse_yaml("a:\n  - x.y: 1\n  - {x: 2}\n", errors);
  EXPECT_EQ(root.nearest("a[0].x.y").line, 2);
  EXPECT_EQ(root.nearest("a[1].missing").path, "a[1]");
  EXPECT_EQ(root.nearest("a[10]").path, "a");
  EXPECT_EQ(root.nearest("b").path, "");
  errors.add(*root.nearest("a[1]").find("x"), "wrong");
  errors.add(root.nearest("a[0]"), "'z' is missing");
  for (const char* path : {"a[1].x", "a[1]", "a", "a[0].z", "a[0]", "a[1].x.deep"})
    EXPECT_TRUE(errors.concerns(path)) << path;
  for (const char* path : {"a[1].xx", "a[1].y", "a[10]", "b", "a[0].z.deep"})
    EXPECT_FALSE(errors.concerns(path)) << path;
}

TEST(Yaml, SuggestsWhatIsNear) {
  const std::vector<std::string_view> names = {"TLS", "YouTube", "", "BitTorrent"};
  EXPECT_EQ(did_you_mean("Youtub", names), ", did you mean 'YouTube'?");
  EXPECT_EQ(did_you_mean("youtube", names), ", did you mean 'YouTube'?");
  EXPECT_EQ(did_you_mean("YouTube", names), "");  // known, and wrong here
  EXPECT_EQ(did_you_mean("qqqqqqqq", names), "");
  EXPECT_EQ(did_you_mean(std::string(1000, 'x'), names), "");
}

TEST(Yaml, WrongKindsAreErrorsNotCrashes) {
  YamlErrors errors("f");
  const YamlNode root = parse_yaml("[1, {a: b}, c]", errors);
  YamlMap map(root, errors);
  std::string out;
  EXPECT_FALSE(map.require_string("x", out));
  map.finish();
  EXPECT_FALSE(read_yaml(root.children[1], errors, out));
  each_yaml(root.children[2], errors, 1, [](const YamlNode&) { FAIL(); });
  each_yaml(root, errors, 2, [](const YamlNode&) { FAIL(); });
  EXPECT_EQ(errors.size(), 4u);
}

TEST(Yaml, KeepsABoundedNumberOfErrors) {
  YamlErrors errors("f");
  YamlNode node;
  for (size_t i = 0; i < kYamlErrorsMax + 5; i++) errors.add(node, "x");
  const auto list = errors.take();
  ASSERT_EQ(list.size(), kYamlErrorsMax + 1);
  EXPECT_EQ(list.back().text(), "f: 5 further errors");
}

}  // namespace
}  // namespace sluice::tunnels
