// SPDX-License-Identifier: Apache-2.0
#include "gateway/flow_log/log_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace sluice::gateway {
namespace {

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    char name[] = "/tmp/log_file_test.XXXXXX";
    folder = ::mkdtemp(name);
    path = folder + "/flows.log";
  }
  ~LogFileTest() override { std::filesystem::remove_all(folder); }
  std::unique_ptr<LogFile> open(LogFile::Options options = {}) {
    options.path = path;
    auto log = LogFile::open(options);
    EXPECT_TRUE(log) << log.error().text();
    return std::move(*log);
  }
  static std::string text_of(const std::string& file) {
    std::ostringstream out;
    out << std::ifstream(file).rdbuf();
    return out.str();
  }
  std::string folder, path;
};

TEST_F(LogFileTest, LinesAreAppended) {
  std::ofstream(path) << "before\n";
  auto log = open({.header = "header\n"});
  log->write("one\n");
  log->write("two\nthree\n");
  log->finish();
  EXPECT_EQ(text_of(path), "before\none\ntwo\nthree\n");
  EXPECT_EQ(log->lines_written(), 3u);
  EXPECT_EQ(log->lines_lost(), 0u);
}

TEST_F(LogFileTest, FilesAreChangedBySizeAndTheOldestGoes) {
  auto log = open({.header = "h\n", .rotate_bytes = 12, .keep = 2});
  for (int i = 0; i < 8; i++) log->write("line" + std::to_string(i) + "\n");
  log->write("a line longer than a file\n");
  log->finish();
  // Nobody sees how lines are cut into files but by this limit: whole lines, in their order.
  EXPECT_EQ(text_of(path), "h\na line longer than a file\n");
  EXPECT_EQ(text_of(path + ".1"), "h\nline7\n");
  EXPECT_EQ(text_of(path + ".2"), "h\nline6\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".3"));
  EXPECT_EQ(log->lines_written(), 9u);
}

TEST_F(LogFileTest, AFileThatWasMovedAwayIsLeft) {
  auto log = open({.header = "h\n"});
  log->write("one\n");
  log->finish();
  std::filesystem::rename(path, path + ".moved");
  log = open({.header = "h\n"});
  log->write("two\n");
  std::filesystem::rename(path, path + ".moved");
  log->reopen();
  log->write("three\n");
  log->finish();
  const std::string all = text_of(path + ".moved") + text_of(path);
  EXPECT_TRUE(text_of(path).ends_with("three\n")) << all;
  EXPECT_NE(all.find("two\n"), std::string::npos) << all;
}

TEST_F(LogFileTest, WhatDoesNotFitTheQueueIsLostAndCounted) {
  auto log = open();
  const std::string big(LogFile::kQueuedBytesMax, 'x');
  log->write(big + "\n");  // never fits
  log->write("a\nb\n");
  log->finish();
  EXPECT_EQ(log->lines_lost(), 1u);
  EXPECT_EQ(text_of(path), "a\nb\n");
}

TEST_F(LogFileTest, WhatTheDiskDoesNotTakeIsLostAndCounted) {
  const auto log = LogFile::open({.path = "/dev/full"});
  ASSERT_TRUE(log) << log.error().text();
  (*log)->write("a\nb\n");
  (*log)->finish();
  EXPECT_EQ((*log)->lines_lost(), 2u);
  EXPECT_EQ((*log)->lines_written(), 0u);
}

TEST_F(LogFileTest, AFileThatCannotBeMadeIsAnError) {
  const auto log = LogFile::open({.path = folder + "/no/such"});
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().where, folder + "/no/such");
}

}  // namespace
}  // namespace sluice::gateway
