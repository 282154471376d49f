// SPDX-License-Identifier: Apache-2.0
// The targets that a file lists. It is read when it was written and closed, or another was renamed
// to its name; and, for file systems and links that do not tell, when it looks changed.
#pragma once

#include <sys/stat.h>

#include <string>

#include "gateway/discovery/source.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {

class FileSource : public Source {
 public:
  FileSource(EventLoop& loop, DiscoverSettings settings, Heard heard, uint32_t second_ms);

 private:
  // Of what was read last: another file, or other bytes in it.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    timespec changed{};
    bool operator==(const Stamp& other) const;
  };

  void look();
  void watch_folder();
  void told();
  void read();
  Stamp stamp() const;

  EventLoop& loop_;
  const std::string path_;
  Heard heard_;
  const uint32_t second_ms_;
  Stamp read_;
  bool any_ = false;  // a stamp is there
  Stamp seen_;        // by the last look
  UniqueFd inotify_;
  Watch watch_;  // after the descriptor
  bool watching_ = false;
  Timer look_again_;
};

}  // namespace sluice::gateway
