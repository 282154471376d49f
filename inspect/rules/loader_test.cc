// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/loader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace sluice::inspect {
namespace {

constexpr const char* kText = R"(# a comment
alert tcp any any -> any any (msg:"one"; sid:1;)

alert tcp any any -> any any (msg:"two"; \
  content:"x"; \
  sid:2;)
alert gopher any any -> any any (sid:3;)
pass tcp any any -> any any (sid:4;)
alert tcp any any -> any any (lua:a; sid:5;)
drop tcp any any -> any any (sid:1;)
reject udp any any -> any any (sid:6; priority:1;)
drop udp any any -> any any (sid:7; priority:2;)
drop udp any any -> any any (sid:8; priority:1;))";

TEST(RuleLoader, OfASidTheNewestRevisionIsKept) {
  Names names;
  RuleLoader loader(default_variables(), default_classification(), names);
  ASSERT_TRUE(
      loader.load_text("alert tcp any any -> any any (msg:\"a\"; sid:1; rev:2;)\n"
                       "alert tcp any any -> any any (msg:\"b\"; sid:1; rev:3;)\n"
                       "alert tcp any any -> any any (msg:\"c\"; sid:1; rev:3;)\n",
                       "t.rules"));
  const RuleSet set = loader.take();
  ASSERT_EQ(set.rules.size(), 1u);
  EXPECT_EQ(set.rules[0].msg, "b");
  ASSERT_EQ(set.refused.size(), 2u);
  EXPECT_EQ(set.refused[0].text(), "t.rules:1: sid 1 has a newer revision at t.rules:2");
  EXPECT_EQ(set.refused[1].text(), "t.rules:3: sid 1 is already used at t.rules:2");
}

TEST(RuleLoader, WarnsOfClasstypesThatAreNotKnown) {
  Names names;
  RuleLoader loader(default_variables(), default_classification(), names);
  ASSERT_TRUE(
      loader.load_text("alert tcp any any -> any any (classtype:mine; sid:1;)\n"
                       "alert tcp any any -> any any (priority:2; classtype:mine; sid:2;)\n"
                       "alert tcp any any -> any any (classtype:misc-attack; sid:3;)\n",
                       "t.rules"));
  const RuleSet set = loader.take();
  EXPECT_EQ(set.rules.size(), 3u);
  EXPECT_TRUE(set.refused.empty());
  ASSERT_EQ(set.warned.size(), 2u);
  EXPECT_EQ(set.warned[0].text(),
            "t.rules:1: classtype 'mine' is not in the classification: loaded with priority 3");
  EXPECT_TRUE(set.warned[1].text().ends_with("priority 2")) << set.warned[1].text();
}

TEST(RuleLoader, AByteOrderMarkIsNoPartOfTheFirstLine) {
  Names names;
  for (const std::string first : {"", "# a comment\n", "\n"}) {
    RuleLoader loader(default_variables(), default_classification(), names);
    ASSERT_TRUE(loader.load_text("\xef\xbb\xbf" + first + "alert tcp any any -> any any (sid:1;)",
                                 "t.rules"));
    const RuleSet set = loader.take();
    EXPECT_EQ(set.rules.size(), 1u) << first;
    EXPECT_TRUE(set.refused.empty()) << first;
  }
}

TEST(RuleLoader, KeepsWhatItHonoursAndListsTheRest) {
  Names names;
  RuleLoader loader(default_variables(), default_classification(), names);
  ASSERT_TRUE(loader.load_text(kText, "t.rules"));
  const RuleSet set = loader.take();
  std::vector<uint32_t> sids;
  for (const Rule& rule : set.rules) sids.push_back(rule.sid);
  EXPECT_EQ(sids, (std::vector<uint32_t>{4, 8, 7, 6, 1, 2}));
  ASSERT_EQ(set.refused.size(), 3u);
  EXPECT_EQ(set.refused[0].text(), "t.rules:7: protocol 'gopher' is not supported");
  EXPECT_EQ(set.refused[1].text(), "t.rules:9: keyword 'lua' is not supported");
  EXPECT_EQ(set.refused[2].text(), "t.rules:10: sid 1 is already used at t.rules:2");
  EXPECT_EQ(set.rules.back().line, 4);
}

struct Lines {
  std::vector<std::pair<int, std::string>> all;

  Result<> take(std::string_view line, int number) {
    all.emplace_back(number, line);
    return {};
  }
};

TEST(WholeLines, AreTheSameHoweverTheTextIsCut) {
  const std::string text = " a\\\n b \\ \n\tc \r\n# no\\\nno\n \t\n\nd\\e\nf\\";
  const std::vector<std::pair<int, std::string>> expected = {
      {1, " a b \tc"}, {8, "d\\e"}, {9, "f"}};
  for (size_t piece = 1; piece <= text.size(); piece++) {
    Lines lines;
    WholeLines reader(20, [&](std::string_view t, int n) { return lines.take(t, n); });
    for (size_t at = 0; at < text.size(); at += piece)
      ASSERT_TRUE(reader.feed(std::string_view(text).substr(at, piece)));
    ASSERT_TRUE(reader.end());
    EXPECT_EQ(lines.all, expected) << piece;
  }
}

// Whatever it ends with, and however many lines it has.
TEST(WholeLines, OfOneThatIsTooLongOneByteMoreIsKept) {
  for (const std::string& line :
       {std::string(5000, 'x'), "x" + std::string(5000, ' '), std::string(5000, ' '),
        std::string(20, 'x') + std::string(5000, '\\'),
        std::string(10, 'x') + "\\\n" + std::string(5000, 'y')}) {
    Lines lines;
    WholeLines reader(20, [&](std::string_view t, int n) { return lines.take(t, n); });
    for (const char c : line + "\nnext\n") ASSERT_TRUE(reader.feed({&c, 1}));
    ASSERT_TRUE(reader.end());
    ASSERT_EQ(lines.all.size(), 2u);
    EXPECT_EQ(lines.all[0].second.size(), 21u);
    EXPECT_EQ(lines.all[1].second, "next");
  }
}

TEST(RuleLoader, ARuleOfManyMegabytesIsRefusedAndTheNextOneTaken) {
  const std::string path = ::testing::TempDir() + "long_rule_" + std::to_string(getpid());
  {
    std::ofstream file(path);
    file << "alert tcp any any -> any any (msg:\"" << std::string(20 << 20, 'a')
         << "\"; sid:1;)\nalert tcp any any -> any any (sid:2;)\n";
  }
  Names names;
  RuleLoader loader(default_variables(), default_classification(), names);
  ASSERT_TRUE(loader.load_file(path));
  const RuleSet set = loader.take();
  ASSERT_EQ(set.refused.size(), 1u);
  EXPECT_EQ(set.refused[0].text(), path + ":1: rule longer than 16384 bytes");
  ASSERT_EQ(set.rules.size(), 1u);
  EXPECT_EQ(set.rules[0].line, 2);
  unlink(path.c_str());
}

TEST(RuleLoader, EmptyAndMissingFiles) {
  Names names;
  RuleLoader loader(default_variables(), default_classification(), names);
  ASSERT_TRUE(loader.load_file("/dev/null"));
  EXPECT_TRUE(loader.take().rules.empty());
  const auto missing = loader.load_file("/nonexistent.rules");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().text(),
            "/nonexistent.rules: cannot read the rules: No such file or directory");
  EXPECT_FALSE(loader.load_file("/tmp"));
}

// Whoever waited for a writer would wait forever, and hold up all other reloads.
TEST(RuleLoader, APipeIsRefused) {
  const std::string path = ::testing::TempDir() + "rules_pipe_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  Names names;
  RuleLoader loader(default_variables(), default_classification(), names);
  const std::string error = path + ": cannot read the rules: it is a pipe, and must be a file";
  EXPECT_EQ(loader.load_file(path).error().text(), error) << "without a writer";
  const int writer = open(path.c_str(), O_RDWR | O_NONBLOCK);
  ASSERT_GE(writer, 0);
  ASSERT_EQ(write(writer, "#\n", 2), 2);
  EXPECT_EQ(loader.load_file(path).error().text(), error) << "with one";
  Classification classes;
  EXPECT_FALSE(load_classification(path, classes));
  close(writer);
  unlink(path.c_str());
}

}  // namespace
}  // namespace sluice::inspect
