// SPDX-License-Identifier: Apache-2.0
// Where finished EVE lines go.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

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

// Appends to a file, whole lines at a time (O_APPEND: other processes may append to it too). Any
// thread. A line that cannot be written is lost and counted: a full disk never stops packets. Of
// one that was written in part the rest is lost; the next begins on a line of its own.
class FileSink final : public Sink {
 public:
  // "-" is standard output.
  static Result<std::unique_ptr<FileSink>> open(const std::string& path);
  ~FileSink() override;
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  void write(std::string_view line) override;
  void flush() override;
  // Goes on in a new file of the same name, if somebody has moved or removed the old one: what was
  // written before this is there, the rest here. An error: it goes on as before. Standard output
  // stays.
  Result<> reopen();
  uint64_t lines() const;  // that were written, or lost
  uint64_t lines_lost() const;

 private:
  FileSink(const std::string& path, int fd) : path_(path), fd_(fd) {}
  void flush_locked();
  std::string_view put(std::string_view text) const;

  const std::string path_;
  std::mutex reopening_;  // who opened last stays
  mutable std::mutex mutex_;
  int fd_;
  std::string buffer_;
  bool cut_ = false;  // the file ends within a line
  uint64_t lines_ = 0;
  uint64_t lines_lost_ = 0;
};

}  // namespace sluice::inspect
