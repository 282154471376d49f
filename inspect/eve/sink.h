// SPDX-License-Identifier: Apache-2.0
// Where finished EVE lines go.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "inspect/eve/rotation.h"
#include "tunnels/result.h"

namespace sluice::inspect {

class Sink {
 public:
  virtual ~Sink() = default;
  // One whole line, newline included.
  virtual void write(std::string_view line) = 0;
  // Hands what is buffered to the system.
  virtual void flush() {}
};

// Keeps everything; one thread.
class MemorySink final : public Sink {
 public:
  void write(std::string_view line) override { text_ += line; }
  const std::string& text() const { return text_; }
  void clear() { text_.clear(); }

 private:
  std::string text_;
};

// Buffered up to this many bytes between flushes.
inline constexpr size_t kSinkBufferMax = 64 * 1024;
// When a file cannot be rotated, the next try comes after so long.
inline constexpr time_t kRotationRetrySeconds = 10;

// Seconds since 1970.
using WallClock = std::function<time_t()>;
inline time_t system_clock() { return std::time(nullptr); }

// For FileSink::wait_for_reader.
inline constexpr int kHoweverLong = -1;

// Appends to a file, whole lines at a time (O_APPEND: other processes may append to it too). Any
// thread. A line that cannot be written is lost and counted: neither a full disk nor a slow reader
// stops packets. Of one that was written in part the rest is lost; the next begins on a line of its
// own.
//
// Rotation is done by whoever writes or flushes first when its time has come: what was written
// before is in the old file, the rest in the next one. A clock that is set back is a reason too,
// because the name may be another one. If the next file cannot be opened, it goes on in the old
// one.
class FileSink final : public Sink {
 public:
  // Standard output is not rotated.
  static Result<std::unique_ptr<FileSink>> open(const LogFile& file,
                                                WallClock clock = system_clock);
  ~FileSink() override;
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  void write(std::string_view line) override;
  void flush() override;
  // Goes on in a new file of the same name, if somebody has moved or removed the old one: what was
  // written before this is there, the rest here. An error: it goes on as before. Standard output
  // stays.
  Result<> reopen();
  // From now on nobody waits for us: a FIFO's reader has so many milliseconds in all to make room.
  void wait_for_reader(int at_most_ms);
  struct Counters {
    uint64_t lines = 0;  // that were written, or lost
    uint64_t lines_lost = 0;
    uint64_t rotations = 0;
    uint64_t rotations_failed = 0;
  };
  Counters counters() const;
  uint64_t lines_lost() const { return counters().lines_lost; }

 private:
  FileSink(const LogFile& file, WallClock clock) : file_(file), clock_(std::move(clock)) {}
  Result<> open_next(time_t now);
  void rotate_if_due();
  void look_where_it_ends();
  void flush_locked();
  std::string_view put(std::string_view text);
  bool room_comes();

  const LogFile file_;
  const WallClock clock_;
  mutable std::mutex mutex_;
  int fd_ = -1;
  time_t opened_ = 0;  // or tried to
  time_t ends_ = 0;
  std::string buffer_;
  bool cut_ = false;  // the file ends within a line
  int patience_ms_ = 0;
  Counters counters_;
};

}  // namespace sluice::inspect
