// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace sluice::inspect {

Result<std::unique_ptr<FileSink>> FileSink::open(const std::string& path) {
  const int fd = path == "-"
                     ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                     : ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) return fail_errno("cannot open for appending", path);
  return std::unique_ptr<FileSink>(new FileSink(fd));
}

FileSink::~FileSink() {
  flush_locked();
  ::close(fd_);
}

void FileSink::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (buffer_.size() + line.size() > kSinkBufferMax) flush_locked();
  buffer_ += line;
}

void FileSink::flush() {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

void FileSink::flush_locked() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      lines_lost_ += static_cast<uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
      break;
    }
    rest.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
}

uint64_t FileSink::lines_lost() const {
  const std::lock_guard lock(mutex_);
  return lines_lost_;
}

}  // namespace sluice::inspect
