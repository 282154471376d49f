// SPDX-License-Identifier: Apache-2.0
#include "gateway/flow_log/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sluice::gateway {
namespace {

uint64_t lines_in(std::string_view text) {
  return static_cast<uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

Result<std::unique_ptr<LogFile>> LogFile::open(Options options) {
  std::unique_ptr<LogFile> log(new LogFile(std::move(options)));
  SLUICE_TRY_VOID(log->open_file());
  log->thread_ = std::thread([raw = log.get()] { raw->run(); });
  return log;
}

LogFile::~LogFile() { finish(); }

void LogFile::finish() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LogFile::write(std::string_view lines) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() + lines.size() > kQueuedBytesMax) {
      lost_ += lines_in(lines);
      return;
    }
    queue_ += lines;
  }
  wake_.notify_one();
}

void LogFile::reopen() {
  {
    std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  wake_.notify_one();
}

uint64_t LogFile::lines_written() const {
  std::lock_guard lock(mutex_);
  return written_;
}

uint64_t LogFile::lines_lost() const {
  std::lock_guard lock(mutex_);
  return lost_;
}

void LogFile::run() {
  std::string lines;
  for (bool ends = false; !ends;) {
    bool reopens = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return ends_ || reopen_ || !queue_.empty(); });
      lines.clear();
      lines.swap(queue_);
      reopens = std::exchange(reopen_, false);
      ends = ends_;
    }
    if (reopens) (void)open_file();  // on an error the present one is kept
    append(lines);
  }
}

// As many lines at a time as the present file takes.
void LogFile::append(std::string_view lines) {
  while (!lines.empty()) {
    size_t part = lines.size();
    if (options_.rotate_bytes != 0 && size_ + part > options_.rotate_bytes) {
      const uint64_t room = options_.rotate_bytes > size_ ? options_.rotate_bytes - size_ : 0;
      part = room == 0 ? 0 : lines.rfind('\n', room - 1) + 1;  // 0 when there is none
      if (part == 0 && size_ > options_.header.size()) {
        rotate();
        continue;
      }
      if (part == 0) part = lines.find('\n') + 1;  // a file has one line at least
    }
    const uint64_t count = lines_in(lines.substr(0, part));
    const bool whole = append_to_file(lines.substr(0, part));
    lines.remove_prefix(part);
    std::lock_guard lock(mutex_);
    (whole ? written_ : lost_) += count;
  }
}

bool LogFile::append_to_file(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t count = ::write(fd_.get(), lines.data(), lines.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    size_ += static_cast<uint64_t>(count);
    lines.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

Result<> LogFile::open_file() {
  UniqueFd fd(::open(options_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!fd) return fail_errno("cannot open the log", options_.path);
  struct stat file {};
  if (::fstat(fd.get(), &file) != 0) return fail_errno("cannot open the log", options_.path);
  fd_ = std::move(fd);
  size_ = static_cast<uint64_t>(file.st_size);
  if (size_ == 0) (void)append_to_file(options_.header);
  return {};
}

// PATH becomes PATH.1, PATH.1 becomes PATH.2 and so on; the last one goes. If a new file cannot be
// made, the present one grows on.
void LogFile::rotate() {
  const auto numbered = [this](uint32_t number) {
    return options_.path + "." + std::to_string(number);
  };
  for (uint32_t i = options_.keep; i > 1; i--)
    std::rename(numbered(i - 1).c_str(), numbered(i).c_str());
  std::rename(options_.path.c_str(), numbered(1).c_str());
  if (!open_file()) size_ = 0;
}

}  // namespace sluice::gateway
