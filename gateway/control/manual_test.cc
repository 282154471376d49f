// SPDX-License-Identifier: Apache-2.0
// The manual's list of keys (docs/features/configuration.md) and its examples: neither has a key
// that the other one lacks.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace sluice::gateway {
namespace {

const std::string kPages = SLUICE_SOURCE_DIR "/docs/features/";

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> all(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::set<std::string> out;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
    out.insert((*at)[1]);
  return out;
}

// What a gateway reads of an example, without remarks, texts, names of tags, and what only the
// laboratory reads.
std::string example_of(const std::filesystem::path& path) {
  std::string text = text_of(path);
  if (path.extension() != ".yaml" || text.find("\ngateway:\n") == std::string::npos) return {};
  text = text.substr(0, text.find("\nlab:"));
  text = std::regex_replace(text, std::regex("#[^\n]*"), "");
  text = std::regex_replace(text, std::regex("tags: [{][^}]*[}]"), "tags: {}");
  return std::regex_replace(text, std::regex("\"[^\"\n]*\""), "\"\"");
}

std::set<std::string> keys_of_examples() {
  std::set<std::string> out;
  for (const auto& file : std::filesystem::directory_iterator(kPages + "examples"))
    out.merge(all(example_of(file.path()), "([a-z][a-z0-9_.]*):(?=[ \n])"));
  return out;
}

// The page, and those that it leaves the rest to.
std::string manual() {
  const std::string page = text_of(kPages + "configuration.md");
  std::string out = page;
  for (const std::string& other : all(page, "\\]\\(([a-z0-9-]+\\.md)"))
    out += text_of(kPages + other);
  return out;
}

TEST(Manual, EveryKeyOfAnExampleIsExplained) {
  const auto keys = keys_of_examples();
  EXPECT_GT(keys.size(), 60u);
  const std::string text = manual();
  for (const std::string& key : keys)
    EXPECT_TRUE(
        std::regex_search(text, std::regex("(`|\\.|\\{|, |# )" + key + "(`|\\.|:|,|\\}|\n)")))
        << key;
}

TEST(Manual, EveryKeyOfItsTablesIsInAnExample) {
  const std::string page = text_of(kPages + "configuration.md");
  const auto known = keys_of_examples();
  const std::set<std::string> types = {"application", "gateway", "network"};
  for (const std::string& row : all(page, "\n(\\| `[^|]*) \\|"))
    for (const std::string& name : all(row, "`([a-z][a-zA-Z0-9_.]*)`")) {
      const std::string last = name.substr(name.rfind('.') + 1);
      EXPECT_TRUE(types.contains(name) || known.contains(name) || known.contains(last)) << name;
    }
}

}  // namespace
}  // namespace sluice::gateway
