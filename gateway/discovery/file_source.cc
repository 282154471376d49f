// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/file_source.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "gateway/discovery/target_list.h"

namespace sluice::gateway {

bool FileSource::Stamp::operator==(const Stamp& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
}

FileSource::FileSource(EventLoop& loop, DiscoverSettings settings, Heard heard, uint32_t second_ms)
    : loop_(loop),
      path_(std::move(settings.file)),
      heard_(std::move(heard)),
      second_ms_(second_ms),
      look_again_(loop, [this] { look(); }) {
  look_again_.set_after(0);
}

// Something may have changed that inotify does not tell: a link on the way to the file, the folder
// itself, a file on another machine. What changed is read when two looks in a row have seen the
// same, so that nobody's half-written list is.
void FileSource::look() {
  look_again_.set_after(uint64_t{kFileLookS} * second_ms_);
  if (!watching_) watch_folder();
  const Stamp now = stamp();
  const bool settled = now == seen_;
  seen_ = now;
  if (any_ && now == read_) return;
  if (any_ && !settled) return look_again_.set_after(uint64_t{kFileSettledS} * second_ms_);
  read();
}

void FileSource::watch_folder() {
  const std::string folder = path_.substr(0, std::max<size_t>(path_.rfind('/'), 1));
  watch_.stop();
  inotify_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) return;
  const uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                          IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  if (::inotify_add_watch(inotify_.get(), folder.c_str(), events) < 0) return;
  watching_ =
      watch_.start(loop_, inotify_.get(), EPOLLIN, [this](uint32_t) { told(); }).has_value();
}

void FileSource::told() {
  alignas(inotify_event) std::array<char, 16 * 1024> bytes;
  const std::string_view name = std::string_view(path_).substr(path_.rfind('/') + 1);
  bool ours = false, moved = false, lost = false;
  ssize_t size;
  while ((size = ::read(inotify_.get(), bytes.data(), bytes.size())) > 0) {
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, bytes.data() + at, sizeof(event));
      const char* text = bytes.data() + at + sizeof(event);
      const std::string_view about(text, event.len == 0 ? 0 : ::strnlen(text, event.len));
      ours |= about == name;
      moved |= (event.mask & (IN_MOVED_TO | IN_Q_OVERFLOW)) != 0;
      lost |= (event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
      at += static_cast<ssize_t>(sizeof(event) + event.len);
    }
  }
  if (lost) {
    watch_.stop();
    watching_ = false;
    look_again_.set_after(0);
  }
  // Another name that was moved in may be a link on the way to ours.
  if (ours || (moved && !(stamp() == read_))) read();
}

void FileSource::read() {
  read_ = seen_ = stamp();
  any_ = true;
  auto targets = read_target_list(path_);
  if (targets)
    heard_(Found{std::move(*targets), 0, {}});
  else
    heard_(tl::make_unexpected(std::move(targets).error()));
}

FileSource::Stamp FileSource::stamp() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

}  // namespace sluice::gateway
