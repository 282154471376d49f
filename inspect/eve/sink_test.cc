// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/sink.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

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

}  // namespace
}  // namespace sluice::inspect
