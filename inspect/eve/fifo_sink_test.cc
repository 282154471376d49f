// SPDX-License-Identifier: Apache-2.0
// A FIFO as the file of events, whose reader is slow, late or gone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "inspect/eve/sink.h"

namespace sluice::inspect {
namespace {

class FifoSink : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    EXPECT_EQ(FileSink::open({path_}).error().text(),
              path_ + ": cannot open for appending: No such device or address");
    reader_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK);
    auto sink = FileSink::open({path_});
    ASSERT_TRUE(sink);
    sink_ = std::move(*sink);
  }
  void TearDown() override {
    close(reader_);
    unlink(path_.c_str());
  }

  void write(size_t lines, size_t length) {
    const std::string line = std::string(length - 1, 'x') + '\n';
    for (size_t i = 0; i < lines; i++) sink_->write(line);
    sink_->flush();
  }
  // What is there, but no more than that.
  std::string read(size_t at_most) const {
    std::string text(at_most, '\0');
    const ssize_t length = ::read(reader_, text.data(), text.size());
    text.resize(length < 0 ? 0 : static_cast<size_t>(length));
    return text;
  }

  const std::string path_ = ::testing::TempDir() + "eve_fifo_" + std::to_string(getpid());
  int reader_ = -1;
  std::unique_ptr<FileSink> sink_;
};

TEST_F(FifoSink, NobodyWaitsForItsReader) {
  write(1000, 1024);
  EXPECT_GT(sink_->lines_lost(), 500u);
  EXPECT_LT(sink_->lines_lost(), 1000u) << "what the pipe holds";
  close(std::exchange(reader_, -1));
  EXPECT_FALSE(sink_->reopen());
}

// Its end is not known: what it holds may be read already.
TEST_F(FifoSink, ALineThatIsCutSpoilsNoOther) {
  sink_->write("one\n");
  write(1, 200'000);
  EXPECT_EQ(sink_->lines_lost(), 1u);
  EXPECT_TRUE(read(1 << 20).ends_with("xx"));
  sink_->write("two\n");
  sink_->flush();
  EXPECT_EQ(read(1 << 20), "\ntwo\n");
}

// Where nothing else waits, who reads may take his time.
TEST_F(FifoSink, WaitsForItsReaderIfItMay) {
  constexpr size_t kLines = 10, kLength = 100'000;
  sink_->wait_for_reader(kHoweverLong);
  std::thread writer([&] { write(kLines, kLength); });
  size_t come = 0;
  pollfd bytes{reader_, POLLIN, 0};
  while (come < kLines * kLength && ::poll(&bytes, 1, 10'000) == 1) come += read(1 << 16).size();
  EXPECT_EQ(come, kLines * kLength);
  if (come < kLines * kLength) close(std::exchange(reader_, -1));  // that the writer ends
  writer.join();
  EXPECT_EQ(sink_->lines_lost(), 0u);
}

// He takes a little at a time, for longer than he may.
TEST_F(FifoSink, WaitsForItsReaderOnceForAll) {
  constexpr size_t kLines = 100;
  sink_->wait_for_reader(20);
  std::atomic<bool> done = false;
  std::thread trickle([&] {
    for (; !done; std::this_thread::sleep_for(std::chrono::milliseconds(5))) (void)read(8192);
  });
  write(kLines, 100'000);
  done = true;
  trickle.join();
  EXPECT_GT(sink_->lines_lost(), kLines / 2);
}

}  // namespace
}  // namespace sluice::inspect
