// SPDX-License-Identifier: Apache-2.0
// A file that lines are appended to by a thread of its own, so that nobody waits for a disk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "gateway/proxy/socket.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class LogFile {
 public:
  static constexpr size_t kQueuedBytesMax = 8 << 20;

  struct Options {
    std::string path;
    std::string header;         // the first line of each file, with its line feed; may be empty
    uint64_t rotate_bytes = 0;  // a file that would grow beyond it becomes PATH.1; 0: never
    uint32_t keep = 5;          // of those: PATH.1 is the youngest
  };
  static Result<std::unique_ptr<LogFile>> open(Options options);
  ~LogFile();  // finishes
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // Whole lines with their line feeds. Never waits: what does not fit the queue is lost.
  void write(std::string_view lines);
  // Returns when all that is queued is written; nothing may be written after it.
  void finish();
  // The next line goes to a file that is opened anew: somebody may have moved the present one away.
  void reopen();

  uint64_t lines_written() const;
  uint64_t lines_lost() const;  // no room in the queue, or the disk took only a part

 private:
  explicit LogFile(Options options) : options_(std::move(options)) {}
  // What follows belongs to the thread.
  void run();
  void append(std::string_view lines);
  bool append_to_file(std::string_view lines);
  Result<> open_file();
  void rotate();

  const Options options_;
  UniqueFd fd_;
  uint64_t size_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string queue_;
  bool reopen_ = false, ends_ = false;
  uint64_t written_ = 0, lost_ = 0;
  std::thread thread_;
};

}  // namespace sluice::gateway
