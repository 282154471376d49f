// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace sluice::inspect {
namespace {

std::string content(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

TEST(FileSink, AppendsWholeLines) {
  const std::string path = ::testing::TempDir() + "eve_sink_" + std::to_string(getpid());
  {
    auto a = FileSink::open({path});
    auto b = FileSink::open({path});
    ASSERT_TRUE(a && b);
    (*a)->write("one\n");
    (*b)->write("two\n");
    (*b)->flush();
    (*a)->flush();
    EXPECT_EQ(content(path), "two\none\n");
    (*a)->write(std::string(kSinkBufferMax, 'x') + "\n");
  }
  EXPECT_EQ(content(path).size(), 8 + kSinkBufferMax + 1);
  unlink(path.c_str());
}

TEST(FileSink, SaysWhyItCannotOpen) {
  const auto sink = FileSink::open({"/nonexistent/eve.json"});
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().text(),
            "/nonexistent/eve.json: cannot open for appending: No such file or directory");
}

TEST(FileSink, CountsLinesThatAFullDiskLoses) {
  auto sink = FileSink::open({"/dev/full"});
  ASSERT_TRUE(sink);
  (*sink)->write("one\n");
  (*sink)->write("two\n");
  (*sink)->flush();
  EXPECT_EQ((*sink)->lines_lost(), 2u);
}

// While it lives no file of this process grows beyond so many bytes.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : ignored_(signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit tight{bytes, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  }
  ~FileLimit() {
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before_), 0);
    signal(SIGXFSZ, ignored_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_{};
  void (*ignored_)(int);
};

// Of three lines the second is cut by the limit: two are lost, and the file goes on with a whole
// one.
TEST(FileSink, ALineThatWasCutSpoilsNoOther) {
  const std::string path = ::testing::TempDir() + "eve_cut_" + std::to_string(getpid());
  auto sink = FileSink::open({path});
  ASSERT_TRUE(sink);
  {
    const FileLimit limit(6);
    for (const char* line : {"one\n", "two\n", "three\n"}) (*sink)->write(line);
    (*sink)->flush();
    (*sink)->write("four\n");
    (*sink)->flush();
  }
  EXPECT_EQ((*sink)->lines_lost(), 3u);
  (*sink)->write("five\n");
  (*sink)->flush();
  EXPECT_EQ((*sink)->lines_lost(), 3u);
  EXPECT_EQ((*sink)->counters().lines, 5u);
  EXPECT_EQ(content(path), "one\ntw\nfive\n");
  unlink(path.c_str());
}

TEST(FileSink, AFileThatWasCutAndThenEmptiedBeginsWithALine) {
  const std::string path = ::testing::TempDir() + "eve_emptied_" + std::to_string(getpid());
  auto sink = FileSink::open({path});
  ASSERT_TRUE(sink);
  {
    const FileLimit limit(6);
    (*sink)->write("a line\n");
    (*sink)->flush();
  }
  EXPECT_EQ(content(path), "a line");
  ASSERT_EQ(truncate(path.c_str(), 0), 0);
  (*sink)->write("another\n");
  (*sink)->flush();
  EXPECT_EQ(content(path), "another\n");
  unlink(path.c_str());
}

// Two threads write while the file is moved away again and again: each line is whole, in its order,
// in one of the files.
TEST(FileSink, NothingIsLostWhileItIsOpenedAgain) {
  const std::string path = ::testing::TempDir() + "eve_moved_" + std::to_string(getpid());
  constexpr int kLines = 20'000;
  auto sink = FileSink::open({path});
  ASSERT_TRUE(sink);
  std::atomic<int> writing{2};
  const auto write = [&](char name) {
    for (int i = 0; i < kLines; i++) (*sink)->write(name + std::to_string(i) + "\n");
    writing--;
  };
  std::thread a(write, 'a'), b(write, 'b');
  std::string all;
  for (bool last = false; !last;) {
    last = writing == 0;
    const std::string moved = path + ".1";
    ASSERT_EQ(rename(path.c_str(), moved.c_str()), 0);
    ASSERT_TRUE((*sink)->reopen());
    all += content(moved);
  }
  a.join();
  b.join();
  all += content(path);
  std::istringstream lines(all);
  int next[2] = {};
  for (std::string line; std::getline(lines, line);) {
    int& expected = next[line[0] - 'a'];
    ASSERT_EQ(line.substr(1), std::to_string(expected++));
  }
  EXPECT_EQ(next[0], kLines);
  EXPECT_EQ(next[1], kLines);
  EXPECT_EQ((*sink)->lines_lost(), 0u);
  unlink(path.c_str());
  unlink((path + ".1").c_str());
}

TEST(FileSink, GoesOnIfItCannotBeOpenedAgain) {
  const std::string directory = ::testing::TempDir() + "eve_gone_" + std::to_string(getpid());
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  const std::string path = directory + "/eve.json";
  const std::string moved = directory + ".moved";
  auto sink = FileSink::open({path});
  ASSERT_TRUE(sink);
  ASSERT_EQ(rename(directory.c_str(), moved.c_str()), 0);
  EXPECT_FALSE((*sink)->reopen());
  (*sink)->write("one\n");
  (*sink)->flush();
  EXPECT_EQ(content(moved + "/eve.json"), "one\n");
  unlink((moved + "/eve.json").c_str());
  rmdir(moved.c_str());
}

// A directory of its own, and a clock that stands still until it is set.
class Rotating : public ::testing::Test {
 protected:
  Rotating() {
    setenv("TZ", "UTC0", 1);
    tzset();
    std::string name = ::testing::TempDir() + "rotating-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~Rotating() override { std::filesystem::remove_all(directory_); }

  Result<std::unique_ptr<FileSink>> open(const std::string& name, const char* interval) {
    return FileSink::open({file(name), *Rotation::parse(interval)}, [this] { return now_; });
  }
  std::string file(const std::string& name) const { return directory_ + "/" + name; }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
      out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
  }

  time_t now_ = 1'700'000'000;  // 22:13:20

 private:
  std::string directory_;
};

TEST_F(Rotating, EachLineIsInTheFileOfItsTime) {
  auto sink = open("eve-%H:%M.json", "minute");
  ASSERT_TRUE(sink) << sink.error().text();
  (*sink)->write("one\n");
  now_ += 39;
  (*sink)->write("two\n");
  now_ += 1;  // 22:14:00
  (*sink)->write("three\n");
  EXPECT_EQ(content(file("eve-22:13.json")), "one\ntwo\n") << "it is whole when the next begins";
  now_ += 150;
  (*sink)->write("four\n");
  (*sink)->flush();
  EXPECT_EQ(content(file("eve-22:14.json")), "three\n");
  EXPECT_EQ(content(file("eve-22:16.json")), "four\n");
  EXPECT_EQ(names().size(), 3u);
  EXPECT_EQ((*sink)->counters().rotations, 2u);
  EXPECT_EQ((*sink)->counters().lines_lost, 0u);
}

TEST_F(Rotating, AlsoWhenThereIsNothingToTell) {
  auto sink = open("eve-%H:%M:%S.json", "90s");
  ASSERT_TRUE(sink);
  now_ += 89;
  (*sink)->flush();
  EXPECT_EQ((*sink)->counters().rotations, 0u);
  now_ += 1;
  (*sink)->flush();
  (*sink)->flush();
  EXPECT_EQ((*sink)->counters().rotations, 1u);
  EXPECT_EQ(names(), (std::vector<std::string>{"eve-22:13:20.json", "eve-22:14:50.json"}));
  now_ += 90;
  (*sink)->flush();
  EXPECT_EQ((*sink)->counters().rotations, 2u);
}

// As in Suricata: somebody else may have moved it away by then.
TEST_F(Rotating, WithoutTheTimeInItsNameItIsOpenedAgain) {
  auto sink = open("eve.json", "hour");
  ASSERT_TRUE(sink);
  (*sink)->write("one\n");
  (*sink)->flush();
  ASSERT_EQ(rename(file("eve.json").c_str(), file("moved.json").c_str()), 0);
  (*sink)->write("two\n");
  now_ += 3600;
  (*sink)->write("three\n");
  (*sink)->flush();
  EXPECT_EQ(content(file("moved.json")), "one\ntwo\n");
  EXPECT_EQ(content(file("eve.json")), "three\n");
  now_ += 3600;
  (*sink)->write("four\n");
  (*sink)->flush();
  EXPECT_EQ(content(file("eve.json")), "three\nfour\n") << "nobody has moved it";
}

TEST_F(Rotating, AClockThatIsSetBackHasTheNameOfItsTime) {
  auto sink = open("eve-%Y.json", "day");
  ASSERT_TRUE(sink);
  now_ = 86'400;
  (*sink)->write("one\n");
  (*sink)->flush();
  EXPECT_EQ(content(file("eve-1970.json")), "one\n");
  now_ += 86'399;
  (*sink)->flush();
  EXPECT_EQ((*sink)->counters().rotations, 1u);
  now_ += 1;
  (*sink)->flush();
  EXPECT_EQ((*sink)->counters().rotations, 2u);
}

TEST_F(Rotating, DirectoriesWithTheTimeInTheirNamesAreMade) {
  auto sink = open("%Y/%m/eve.json", "day");
  ASSERT_TRUE(sink) << sink.error().text();
  (*sink)->write("one\n");
  (*sink)->flush();
  EXPECT_EQ(content(file("2023/11/eve.json")), "one\n");
  now_ += 30 * 86'400;
  (*sink)->write("two\n");
  (*sink)->flush();
  EXPECT_EQ(content(file("2023/12/eve.json")), "two\n");
}

TEST_F(Rotating, WhatCannotBeOpenedIsTriedAgainAndNothingIsLost) {
  auto sink = open("eve-%H.json", "hour");
  ASSERT_TRUE(sink);
  ASSERT_EQ(mkdir(file("eve-23.json").c_str(), 0700), 0) << "it cannot be written to";
  now_ += 3600;
  (*sink)->write("one\n");
  now_ += kRotationRetrySeconds - 1;
  (*sink)->write("two\n");
  (*sink)->flush();
  EXPECT_EQ((*sink)->counters().rotations_failed, 1u);
  EXPECT_EQ(content(file("eve-22.json")), "one\ntwo\n");
  ASSERT_EQ(rmdir(file("eve-23.json").c_str()), 0);
  now_ += 1;
  (*sink)->write("three\n");
  (*sink)->flush();
  EXPECT_EQ(content(file("eve-23.json")), "three\n");
  EXPECT_EQ((*sink)->counters().rotations, 1u);
  EXPECT_EQ((*sink)->counters().lines_lost, 0u);
}

TEST_F(Rotating, ReopenedByHandItTakesTheNameOfItsTime) {
  auto sink = open("eve-%H:%M:%S.json", "1h");
  ASSERT_TRUE(sink);
  now_ += 10;
  ASSERT_TRUE((*sink)->reopen());
  EXPECT_EQ(names(), (std::vector<std::string>{"eve-22:13:20.json", "eve-22:13:30.json"}));
  now_ += 3599;
  (*sink)->flush();
  EXPECT_EQ((*sink)->counters().rotations, 0u) << "an hour after it was opened";
}

TEST_F(Rotating, StandardOutputIsNot) {
  const auto sink = FileSink::open({"-", *Rotation::parse("day")});
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().text(), "standard output is not rotated: say which file");
}

}  // namespace
}  // namespace sluice::inspect
