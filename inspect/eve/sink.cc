// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::inspect {

namespace {

Result<int> open_file(const std::string& path) {
  const int fd = path == "-"
                     ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                     : ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) return fail_errno("cannot open for appending", path);
  return fd;
}

}  // namespace

Result<std::unique_ptr<FileSink>> FileSink::open(const std::string& path) {
  SLUICE_TRY(const int fd, open_file(path));
  return std::unique_ptr<FileSink>(new FileSink(path, fd));
}

FileSink::~FileSink() {
  flush_locked();
  ::close(fd_);
}

Result<> FileSink::reopen() {
  const std::lock_guard one(reopening_);
  SLUICE_TRY(const int fd, open_file(path_));
  const std::lock_guard lock(mutex_);
  flush_locked();
  ::close(std::exchange(fd_, fd));
  struct stat now {};
  cut_ = cut_ && ::fstat(fd_, &now) == 0 && now.st_size != 0;
  return {};
}

void FileSink::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (buffer_.size() + line.size() > kSinkBufferMax) flush_locked();
  buffer_ += line;
  lines_++;
}

void FileSink::flush() {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

void FileSink::flush_locked() {
  if (buffer_.empty()) return;
  if (cut_) cut_ = !put("\n").empty();
  const std::string_view all = buffer_;
  const std::string_view lost = cut_ ? all : put(all);
  lines_lost_ += static_cast<uint64_t>(std::count(lost.begin(), lost.end(), '\n'));
  const std::string_view written = all.substr(0, all.size() - lost.size());
  cut_ = cut_ || (!written.empty() && written.back() != '\n');
  buffer_.clear();
}

// What of it could not be written.
std::string_view FileSink::put(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return text;
}

uint64_t FileSink::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

uint64_t FileSink::lines_lost() const {
  const std::lock_guard lock(mutex_);
  return lines_lost_;
}

}  // namespace sluice::inspect
