// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/sink.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace sluice::inspect {

namespace {

// Of a FIFO that nobody reads, or reads too slowly, nobody waits for.
constexpr int kHow = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;

Result<int> open_file(const std::string& path) {
  const int fd =
      path == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : ::open(path.c_str(), kHow, 0640);
  if (fd < 0) return fail_errno("cannot open for appending", path);
  return fd;
}

}  // namespace

Result<std::unique_ptr<FileSink>> FileSink::open(const LogFile& file, WallClock clock) {
  if (file.path == "-" && file.rotation.is_wanted())
    return fail("standard output is not rotated: say which file");
  std::unique_ptr<FileSink> sink(new FileSink(file, std::move(clock)));
  SLUICE_TRY_VOID(sink->open_next(sink->clock_()));
  return sink;
}

FileSink::~FileSink() {
  if (fd_ < 0) return;
  flush_locked();
  ::close(fd_);
}

Result<> FileSink::reopen() {
  const std::lock_guard lock(mutex_);
  return open_next(clock_());
}

// The file of that time. What was written before goes to the one that was open.
Result<> FileSink::open_next(time_t now) {
  SLUICE_TRY(const std::string path, file_.path_at(now));
  SLUICE_TRY_VOID(file_.make_directories(path));
  SLUICE_TRY(const int fd, open_file(path));
  flush_locked();
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  look_where_it_ends();
  opened_ = now;
  ends_ = file_.rotation.end_of_file(now);
  return {};
}

// A new file, or one that somebody has emptied, does not end within a line.
void FileSink::look_where_it_ends() {
  struct stat status {};
  if (cut_ && ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) cut_ = status.st_size != 0;
}

void FileSink::rotate_if_due() {
  if (!file_.rotation.is_wanted()) return;
  const time_t now = clock_();
  if (opened_ <= now && now < ends_) return;
  if (open_next(now)) {
    counters_.rotations++;
    return;
  }
  counters_.rotations_failed++;
  opened_ = now;
  ends_ = now + kRotationRetrySeconds;
}

void FileSink::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  rotate_if_due();
  if (buffer_.size() + line.size() > kSinkBufferMax) flush_locked();
  buffer_ += line;
  counters_.lines++;
}

void FileSink::flush() {
  const std::lock_guard lock(mutex_);
  rotate_if_due();
  flush_locked();
}

void FileSink::flush_locked() {
  if (buffer_.empty()) return;
  look_where_it_ends();
  if (cut_) cut_ = !put("\n").empty();
  const std::string_view all = buffer_;
  const std::string_view lost = cut_ ? all : put(all);
  counters_.lines_lost += static_cast<uint64_t>(std::count(lost.begin(), lost.end(), '\n'));
  const std::string_view written = all.substr(0, all.size() - lost.size());
  cut_ = cut_ || (!written.empty() && written.back() != '\n');
  buffer_.clear();
}

void FileSink::wait_for_reader(int at_most_ms) {
  const std::lock_guard lock(mutex_);
  patience_ms_ = at_most_ms;
}

bool FileSink::room_comes() {
  pollfd room{fd_, POLLOUT, 0};
  if (patience_ms_ == 0) return false;
  const auto before = std::chrono::steady_clock::now();
  const int ready = ::poll(&room, 1, patience_ms_);
  const bool goes_on = ready > 0 || (ready < 0 && errno == EINTR);
  if (patience_ms_ == kHoweverLong) return goes_on;
  const auto waited =
      std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - before);
  patience_ms_ = goes_on ? std::max(patience_ms_ - static_cast<int>(waited.count()), 0) : 0;
  return goes_on;
}

// What of it could not be written.
std::string_view FileSink::put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN && room_comes()) continue;
    if (written <= 0) break;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return text;
}

FileSink::Counters FileSink::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace sluice::inspect
