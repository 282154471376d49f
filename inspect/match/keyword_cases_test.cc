// SPDX-License-Identifier: Apache-2.0
// Every keyword, buffer and transformation in rules over real traffic: golden/keywords.txt has a
// case in which each makes its rule hold, and one in which it does not.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "inspect/match/traffic_for_test.h"
#include "inspect/rules/keywords.h"
#include "inspect/rules/transform.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness, traffic

struct Case {
  std::string keyword, traffic;
  bool hit = false;
  std::vector<std::string> rules;  // options; the last one's alerts count
  std::string member, value;       // of the alert, if given
  int line = 0;
};

std::vector<std::string> split(std::string text, const std::string& separator) {
  std::vector<std::string> out;
  for (size_t at; (at = text.find(separator)) != std::string::npos;) {
    out.push_back(text.substr(0, at));
    text.erase(0, at + separator.size());
  }
  out.push_back(text);
  return out;
}

Case parse_case(const std::string& line, Case of) {
  of.hit = line[0] == '+';
  const auto sides = split(line.substr(2), " => ");
  of.rules = split(sides[0], " && ");
  if (sides.size() == 1) return of;
  const size_t equals = sides[1].find('=');
  of.member = sides[1].substr(0, equals);
  of.value = sides[1].substr(equals + 1);
  return of;
}

std::vector<Case> read_cases() {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR) + "/inspect/match/golden/keywords.txt");
  std::vector<Case> out;
  Case current;
  for (std::string line; std::getline(file, line);) {
    current.line++;
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '+' || line[0] == '-') {
      out.push_back(parse_case(line, current));
      continue;
    }
    const auto words = split(line, " ");
    EXPECT_EQ(words.size(), 2u) << line;
    current.keyword = words.front();
    current.traffic = words.back();
  }
  return out;
}

// What rules name as files.
class Files {
 public:
  Files() {
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ + "/agents") << "QWdlbnQvMS4w,7\n";
    // Of "MZ file data".
    std::ofstream(directory_ + "/md5") << "080798178BE88DC66410E3F284DF3C9F a comment\n";
    std::ofstream(directory_ + "/sha1") << "9609a2a31ad0f6d63234c103c97f615cd30236e9\n";
    std::ofstream(directory_ + "/sha256")
        << "327327e0d302abaa06944908a698c0107f67165c7ea2cff237c083e1cfb21d8f\n";
    std::ofstream(directory_ + "/categories") << "1,bad,Bad hosts\n";
    std::ofstream(directory_ + "/scores") << "10.0.0.1,1,90\n";
  }
  ~Files() { std::filesystem::remove_all(directory_); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  EngineOptions options() const {
    EngineOptions out;
    out.data_directory = directory_;
    out.reputation = {directory_ + "/categories", {directory_ + "/scores"}};
    return out;
  }

 private:
  const std::string directory_ =
      std::filesystem::temp_directory_path() / ("keyword_cases_test." + std::to_string(getpid()));
};

constexpr int kSidOfLast = 4711;

bool is_used(const std::string& keyword, const std::string& rule) {
  const std::string options = " " + rule;
  return options.find(" " + keyword + ";") != std::string::npos ||
         options.find(" " + keyword + ":") != std::string::npos;
}

// Rules without a sid of their own get one; the last one's is kSidOfLast.
std::string text_of(const Case& c) {
  std::string text;
  for (const std::string& options : c.rules) {
    const bool last = &options == &c.rules.back();
    const bool numbered = is_used("sid", options);
    text += "alert ip any any -> any any (" + options +
            (numbered ? "" : " sid:" + std::to_string(last ? kSidOfLast : 1) + ";") + ")\n";
  }
  return text;
}

bool has_member(const nlohmann::json& event, const Case& c) {
  std::string path = "/" + c.member;
  std::ranges::replace(path, '.', '/');
  const nlohmann::json::json_pointer pointer(path);
  if (!event.contains(pointer)) return false;
  const auto& value = event.at(pointer);
  return (value.is_string() ? value.get<std::string>() : value.dump()) == c.value;
}

bool hits(const Case& c, const Files& files) {
  Harness h(text_of(c), {}, files.options());
  all_traffic().at(c.traffic)(h);
  for (const auto& event : h.events()) {
    if (event.at("event_type") != "alert") continue;
    if (event.at("alert").at("signature_id") != kSidOfLast) continue;
    if (c.member.empty() || has_member(event, c)) return true;
  }
  return false;
}

TEST(KeywordCases, EachHoldsAndDoesNotHold) {
  const Files files;
  for (const Case& c : read_cases()) {
    const bool used = std::ranges::any_of(
        c.rules, [&](const std::string& rule) { return is_used(c.keyword, rule); });
    EXPECT_TRUE(used) << "keywords.txt:" << c.line << ": does not use " << c.keyword;
    ASSERT_TRUE(all_traffic().contains(c.traffic)) << c.traffic;
    EXPECT_EQ(hits(c, files), c.hit)
        << "keywords.txt:" << c.line << ": " << c.keyword << ": " << c.rules.back();
  }
}

std::set<std::string> all_keywords() {
  std::set<std::string> out;
  for (const KeywordGroup& group : keyword_groups())
    for (const Keyword& keyword : group.keywords) out.emplace(keyword.name);
  for (const std::string_view name : transform_keywords()) out.emplace(name);
  for (const BufferInfo& info : buffer_table()) {
    for (const std::string_view name : {info.name, info.old_sticky, info.modifier})
      if (!name.empty()) out.emplace(name);
  }
  return out;
}

TEST(KeywordCases, NoKeywordIsWithoutBoth) {
  std::set<std::string> hit, miss;
  for (const Case& c : read_cases()) (c.hit ? hit : miss).insert(c.keyword);
  for (const std::string& keyword : all_keywords()) {
    EXPECT_TRUE(hit.contains(keyword)) << keyword << " has no case in which it holds";
    EXPECT_TRUE(miss.contains(keyword)) << keyword << " has no case in which it does not hold";
  }
  for (const std::string& keyword : hit)
    EXPECT_TRUE(all_keywords().contains(keyword)) << keyword << " is no keyword";
}

}  // namespace
}  // namespace sluice::inspect
