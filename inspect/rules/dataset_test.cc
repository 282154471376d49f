// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "inspect/rules/ip_reputation.h"
#include "inspect/rules/loader.h"

namespace sluice::inspect {
namespace {

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A directory that goes away with the test.
class DatasetFiles : public ::testing::Test {
 protected:
  DatasetFiles() { std::filesystem::create_directories(directory_); }
  ~DatasetFiles() override { std::filesystem::remove_all(directory_); }
  void write(const std::string& file, const std::string& text) const {
    std::ofstream(directory_ + "/" + file) << text;
  }
  std::string read(const std::string& file) const {
    std::ifstream in(directory_ + "/" + file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static DatasetSpec spec(const std::string& name, DatasetType type = DatasetType::kString) {
    DatasetSpec out;
    out.name = name;
    out.type = type;
    return out;
  }

  const std::string directory_ =
      std::filesystem::temp_directory_path() / ("dataset_test." + std::to_string(getpid()));
};

TEST_F(DatasetFiles, HoldsWhatIsPutThere) {
  Datasets all("");
  const auto set = *all.get(spec("a"));
  EXPECT_FALSE(set->contains(bytes("x")));
  set->add(bytes("x"));
  set->add(bytes("x"));
  set->add(bytes(""));
  EXPECT_TRUE(set->contains(bytes("x")));
  EXPECT_EQ(set->size(), 1u);
  EXPECT_GT(all.memory(), 0u);
  set->remove(bytes("y"));
  set->remove(bytes("x"));
  EXPECT_EQ(set->size(), 0u);
  EXPECT_EQ(all.memory(), 0u);
}

TEST_F(DatasetFiles, ValuesHaveTheLengthOfTheirType) {
  const struct {
    DatasetType type;
    std::vector<size_t> lengths;
  } cases[] = {{DatasetType::kMd5, {16}},
               {DatasetType::kSha256, {32}},
               {DatasetType::kIpv4, {4}},
               {DatasetType::kIpv6, {16}},
               {DatasetType::kIp, {4, 16}}};
  Datasets all("");
  for (const auto& c : cases) {
    const auto set = *all.get(spec(std::to_string(static_cast<int>(c.type)), c.type));
    for (size_t length = 0; length < 40; length++) set->add(bytes(std::string(length, 'x')));
    EXPECT_EQ(set->size(), c.lengths.size());
    for (const size_t length : c.lengths)
      EXPECT_TRUE(set->contains(bytes(std::string(length, 'x')))) << length;
  }
}

TEST_F(DatasetFiles, IsBoundedAndCounts) {
  Datasets all("");
  DatasetSpec small = spec("small");
  small.memory_max = 1000;
  const auto set = *all.get(small);
  for (int i = 0; i < 100; i++) set->add(bytes("value " + std::to_string(i)));
  EXPECT_GT(set->size(), 5u);
  EXPECT_LT(set->size(), 15u);
  EXPECT_EQ(set->full(), 100 - set->size());
  EXPECT_EQ(all.full(), set->full());
  EXPECT_LE(all.memory(), 1000u);
  for (size_t i = 1; i < kDatasetsMax; i++) ASSERT_TRUE(all.get(spec(std::to_string(i))));
  EXPECT_FALSE(all.get(spec("one more")));
  EXPECT_TRUE(all.get(spec("small")));
}

TEST_F(DatasetFiles, FilesAreReadAndWritten) {
  write("strings", "# a comment\nZXZpbA==\n\nYmFk\r\n");
  write("rep", "ZXZpbA==,7\nYmFk, 300\n");
  write("ips", "10.0.0.1\n2001:db8::1\n");
  write("digests", std::string(32, 'a') + "\n");
  Datasets all(directory_);
  DatasetSpec strings = spec("strings");
  strings.load = strings.save = "strings";
  const auto set = *all.get(strings);
  EXPECT_TRUE(set->contains(bytes("evil")));
  EXPECT_TRUE(set->contains(bytes("bad")));
  DatasetSpec reputation = spec("rep");
  reputation.reputation = true;
  reputation.load = "rep";
  EXPECT_EQ((*all.get(reputation))->reputation(bytes("bad")), 300);
  DatasetSpec ips = spec("ips", DatasetType::kIp);
  ips.load = ips.save = "ips";
  EXPECT_TRUE((*all.get(ips))->contains(bytes({"\x0a\0\0\1", 4})));
  DatasetSpec digests = spec("digests", DatasetType::kMd5);
  digests.load = digests.save = "digests";
  EXPECT_TRUE((*all.get(digests))->contains(bytes(std::string(16, '\xaa'))));
  set->add(bytes("new\n"));
  ASSERT_TRUE(all.save());
  EXPECT_EQ(read("strings"), "YmFk\nZXZpbA==\nbmV3Cg==\n");
  EXPECT_EQ(read("ips"), "10.0.0.1\n2001:db8::1\n");
  EXPECT_EQ(read("digests"), std::string(32, 'a') + "\n");
}

TEST_F(DatasetFiles, WhatHasNotChangedIsNotWrittenIfItNeedNot) {
  write("state", "ZXZpbA==\n");
  write("saved", "precious\n");
  Datasets all(directory_);
  DatasetSpec state = spec("state");
  state.load = state.save = "state";
  DatasetSpec saved = spec("saved");
  saved.save = "saved";
  const auto set = *all.get(state);
  ASSERT_TRUE(all.get(saved));
  write("state", "YmFk\n");
  ASSERT_TRUE(all.save(Datasets::Which::kChanged));
  EXPECT_EQ(read("state"), "YmFk\n");
  EXPECT_EQ(read("saved"), "precious\n");
  set->remove(bytes("evil"));
  ASSERT_TRUE(all.save(Datasets::Which::kChanged));
  EXPECT_EQ(read("state"), "");
  EXPECT_EQ(read("saved"), "precious\n");
  ASSERT_TRUE(all.save());
  EXPECT_EQ(read("saved"), "");
}

TEST_F(DatasetFiles, OneThatCannotBeWrittenKeepsNoOtherBack) {
  Datasets all(directory_);
  for (const char* name : {"a", "b", "c"}) {
    DatasetSpec state = spec(name);
    state.load = state.save = name;
    (*all.get(state))->add(bytes("evil"));
  }
  std::filesystem::create_directories(directory_ + "/b");
  const auto saved = all.save();
  ASSERT_FALSE(saved);
  EXPECT_NE(saved.error().text().find(directory_ + "/b"), std::string::npos);
  EXPECT_EQ(read("a"), "ZXZpbA==\n");
  EXPECT_EQ(read("c"), "ZXZpbA==\n");
}

TEST_F(DatasetFiles, ARuleThatIsRefusedForItsFileNamesTheLine) {
  write("wrong", "ZXZpbA==\nnot base64!\n");
  Datasets all(directory_);
  Names names;
  const RuleSources sources{&all, std::make_shared<const IpReputation>()};
  RuleLoader loader({}, {}, names, sources);
  ASSERT_TRUE(loader.load_text(
      "alert dns any any -> any any (dns.query; dataset:isset,w,type string,load wrong; sid:1;)",
      "t"));
  const RuleSet set = loader.take();
  ASSERT_EQ(set.refused.size(), 1u);
  EXPECT_EQ(set.refused[0].reason,
            "dataset: " + directory_ + "/wrong:2: not the base64 of a string");
}

TEST_F(DatasetFiles, WrongLinesAreErrorsWithTheirPlace) {
  const struct {
    DatasetType type;
    bool reputation;
    const char* line;
  } cases[] = {{DatasetType::kString, false, "not base64!"},
               {DatasetType::kString, false, "Zm9"},
               {DatasetType::kMd5, false, "abcd"},
               {DatasetType::kMd5, false, "zz"},
               {DatasetType::kSha256, false, "ab"},
               {DatasetType::kIp, false, "10.0.0"},
               {DatasetType::kIpv4, false, "::1"},
               {DatasetType::kString, true, "ZXZpbA=="},
               {DatasetType::kString, true, "ZXZpbA==,65536"}};
  for (const auto& c : cases) {
    write("wrong", std::string("\n") + c.line + "\n");
    Datasets all(directory_);
    DatasetSpec wrong = spec("wrong", c.type);
    wrong.reputation = c.reputation;
    wrong.load = "wrong";
    const auto set = all.get(wrong);
    ASSERT_FALSE(set) << c.line;
    EXPECT_TRUE(set.error().text().starts_with(directory_ + "/wrong:2: ")) << set.error().text();
  }
}

TEST_F(DatasetFiles, FilesLieInsideTheDirectory) {
  write("inside", "");
  std::filesystem::create_directory(directory_ + "/deeper");
  Datasets all(directory_);
  for (const char* file :
       {"/etc/passwd", "../inside", "deeper/../../x", "./inside", ".", "deeper/"}) {
    DatasetSpec wrong = spec("w");
    wrong.load = file;
    EXPECT_FALSE(all.get(wrong)) << file;
    wrong.load.clear();
    wrong.save = file;
    EXPECT_FALSE(all.get(wrong)) << file;
  }
  DatasetSpec inside = spec("inside");
  inside.load = "inside";
  EXPECT_TRUE(all.get(inside));
  inside.name = "missing";
  inside.load = "deeper/missing";
  EXPECT_FALSE(all.get(inside));
  inside.save = "deeper/missing";  // a state that was not saved yet
  EXPECT_TRUE(all.get(inside));
  for (const char* unwritable : {"nowhere/missing", "deeper"}) {
    inside.name = inside.load = inside.save = unwritable;
    const auto set = all.get(inside);
    ASSERT_FALSE(set) << unwritable;
    EXPECT_NE(set.error().text().find("cannot write the data"), std::string::npos);
  }
  Datasets nowhere("");
  const auto refused = nowhere.get(inside);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("--data-dir"), std::string::npos);
}

TEST_F(DatasetFiles, ReloadsKeepWhatWasSeen) {
  write("list", "ZXZpbA==\n");
  Datasets before(directory_);
  (*before.get(spec("seen")))->add(bytes("x"));
  DatasetSpec list = spec("list");
  list.load = "list";
  (void)before.get(list);
  write("list", "YmFk\n");
  Datasets after(directory_, &before);
  EXPECT_TRUE((*after.get(spec("seen")))->contains(bytes("x")));
  EXPECT_FALSE((*after.get(list))->contains(bytes("evil")));
  EXPECT_TRUE((*after.get(list))->contains(bytes("bad")));
  EXPECT_EQ(after.memory() + 1, before.memory()) << "one list, of a value that is shorter";
  // Another type is another set.
  Datasets other(directory_, &after);
  EXPECT_EQ((*other.get(spec("seen", DatasetType::kMd5)))->size(), 0u);
}

TEST_F(DatasetFiles, AReloadMayChangeHowMuchASetHolds) {
  Datasets before("");
  DatasetSpec wanted = spec("seen");
  wanted.memory_max = 100;
  (*before.get(wanted))->add(bytes("a"));
  (*before.get(wanted))->add(bytes("b"));
  EXPECT_EQ((*before.get(wanted))->size(), 1u);
  wanted.memory_max = 1000;
  Datasets after("", &before);
  (*after.get(wanted))->add(bytes("b"));
  EXPECT_EQ((*after.get(wanted))->size(), 2u);
}

TEST_F(DatasetFiles, KeywordsAreTakenOrRefused) {
  Datasets all(directory_);
  IpReputation scores;
  ASSERT_TRUE(scores.read_categories("1,bad,Bad hosts\n", "c"));
  Names names;
  const RuleSources sources{&all, std::make_shared<const IpReputation>(std::move(scores))};
  const struct {
    const char* options;
    bool good;
  } cases[] = {
      {"dns.query; dataset:set,a,type string;", true},
      {"dns.query; dataset:isset,a;", true},
      {"dns.query; dataset:isset,a,type md5;", false},
      {"dns.query; to_md5; dataset:isnotset,b,type md5, memcap 10mb, hashsize 1024;", true},
      {"dns.query; dataset:isset,unknown;", false},
      {"dataset:isset,a;", false},
      {"content:\"x\"; dataset:isset,a;", false},
      {"dns.query; dataset:has,a;", false},
      {"dns.query; dataset:isset;", false},
      {"dns.query; dataset:isset,c,type string,load /etc/passwd;", false},
      {"dns.query; dataset:isset,c,type string,load missing;", false},
      {"dns.query; dataset:isset,c,type string,memcap 0;", false},
      {"dns.query; dataset:isset,c,type string,memcap 1000gb;", false},
      {"dns.query; dataset:isset,c,type string,colour red;", false},
      {"dns.query; datarep:r,>,5,type string;", true},
      {"dns.query; datarep:r,~,5,type string;", false},
      {"dns.query; datarep:r,>,70000,type string;", false},
      {"dns.query; datarep:q,>,5,type string,state x;", false},
      {"dns.query; datarep:a,>,5;", false},
      {"iprep:src,bad,>,30;", true},
      {"iprep:both,bad,<=,30;", true},
      {"iprep:src,good,>,30;", false},
      {"iprep:left,bad,>,30;", false},
      {"iprep:src,bad,>,200;", false},
      {"iprep:src,bad,>;", false},
      {"iprep:src,bad,isset;", true},
      {"iprep:src,bad,isnotset;", true},
      {"iprep:src,bad,isset,1;", false},
  };
  for (const auto& c : cases) {
    RuleLoader loader({}, {}, names, sources);
    ASSERT_TRUE(loader.load_text(
        std::string("alert ip any any -> any any (") + c.options + " sid:1;)", "t"));
    const RuleSet set = loader.take();
    EXPECT_EQ(set.rules.size(), c.good ? 1u : 0u)
        << c.options << (set.refused.empty() ? "" : set.refused[0].reason);
  }
}

TEST_F(DatasetFiles, OtherScoresHaveAnotherHash) {
  const auto hash = [](const char* categories, const char* scores) {
    IpReputation out;
    EXPECT_TRUE(out.read_categories(categories, "c"));
    EXPECT_TRUE(out.read_scores(scores, "s"));
    return out.hash();
  };
  const uint64_t one = hash("1,bad,\n", "10.0.0.1,1,5\n");
  EXPECT_EQ(hash("1,bad,\n", "10.0.0.1,1,5\n"), one);
  EXPECT_NE(hash("1,bad,\n", "10.0.0.1,1,6\n"), one);
  EXPECT_NE(hash("1,spam,\n", "10.0.0.1,1,5\n"), one);
}

TEST_F(DatasetFiles, ScoresAreThoseOfTheLongestPrefix) {
  IpReputation scores;
  ASSERT_TRUE(scores.read_categories("# c\n1,bad,Bad hosts\n2,spam,\n", "c"));
  ASSERT_TRUE(scores.read_scores(
      "10.0.0.0/8,1,10\n10.1.0.0/16,1,20\n10.1.2.3,2,30\n2001:db8::/32,1,40\n10.0.0.0/8,1,11\n",
      "s"));
  EXPECT_EQ(scores.size(), 4u);
  EXPECT_EQ(scores.category("spam"), 2);
  EXPECT_FALSE(scores.category("good"));
  const auto score = [&](const char* text, uint8_t category) {
    const Prefix prefix = *parse_prefix(text);
    return scores.score({prefix.words, prefix.version}, category);
  };
  EXPECT_EQ(score("10.2.0.0", 1), 11);
  EXPECT_EQ(score("10.1.2.3", 1), 20);
  EXPECT_EQ(score("10.1.2.3", 2), 30);
  EXPECT_EQ(score("2001:db8::7", 1), 40);
  EXPECT_FALSE(score("11.0.0.1", 1));
  EXPECT_FALSE(score("::1", 1));
  for (const char* bad : {"10.0.0.1,3,1", "10.0.0.1,1,128", "10.0.0,1,1", "10.0.0.1,1", "x"}) {
    const auto read = scores.read_scores(std::string("\n") + bad, "s");
    ASSERT_FALSE(read) << bad;
    EXPECT_TRUE(read.error().text().starts_with("s:2: ")) << read.error().text();
  }
  for (const char* bad : {"0,x,", "61,x,", "3,,", "1,bad,", "x"})
    EXPECT_FALSE(scores.read_categories(bad, "c")) << bad;
  EXPECT_FALSE(IpReputation::load({"", {"x"}}));
  EXPECT_FALSE(IpReputation::load({"/nonexistent", {}}));
}

}  // namespace
}  // namespace sluice::inspect
