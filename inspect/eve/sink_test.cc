// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/sink.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

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
    auto a = FileSink::open(path);
    auto b = FileSink::open(path);
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
  const auto sink = FileSink::open("/nonexistent/eve.json");
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().text(),
            "/nonexistent/eve.json: cannot open for appending: No such file or directory");
}

TEST(FileSink, CountsLinesThatAFullDiskLoses) {
  auto sink = FileSink::open("/dev/full");
  ASSERT_TRUE(sink);
  (*sink)->write("one\n");
  (*sink)->write("two\n");
  (*sink)->flush();
  EXPECT_EQ((*sink)->lines_lost(), 2u);
}

// Of three lines the second is cut by the limit: two are lost, and the file goes on with a whole
// one.
TEST(FileSink, ALineThatWasCutSpoilsNoOther) {
  const std::string path = ::testing::TempDir() + "eve_cut_" + std::to_string(getpid());
  auto sink = FileSink::open(path);
  ASSERT_TRUE(sink);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{6, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  for (const char* line : {"one\n", "two\n", "three\n"}) (*sink)->write(line);
  (*sink)->flush();
  (*sink)->write("four\n");
  (*sink)->flush();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, ignored);
  EXPECT_EQ((*sink)->lines_lost(), 3u);
  (*sink)->write("five\n");
  (*sink)->flush();
  EXPECT_EQ((*sink)->lines_lost(), 3u);
  EXPECT_EQ((*sink)->lines(), 5u);
  EXPECT_EQ(content(path), "one\ntw\nfive\n");
  unlink(path.c_str());
}

// Two threads write while the file is moved away again and again: each line is whole, in its order,
// in one of the files.
TEST(FileSink, NothingIsLostWhileItIsOpenedAgain) {
  const std::string path = ::testing::TempDir() + "eve_moved_" + std::to_string(getpid());
  constexpr int kLines = 20'000;
  auto sink = FileSink::open(path);
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
  auto sink = FileSink::open(path);
  ASSERT_TRUE(sink);
  ASSERT_EQ(rename(directory.c_str(), moved.c_str()), 0);
  EXPECT_FALSE((*sink)->reopen());
  (*sink)->write("one\n");
  (*sink)->flush();
  EXPECT_EQ(content(moved + "/eve.json"), "one\n");
  unlink((moved + "/eve.json").c_str());
  rmdir(moved.c_str());
}

}  // namespace
}  // namespace sluice::inspect
