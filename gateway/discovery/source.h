// SPDX-License-Identifier: Apache-2.0
// What tells the targets of one group: a DNS name, a file, a prefix of an etcd.
//
// A source asks by itself, again and again, until it is destroyed. It says what it heard; what that
// means for the group is decided by Discovery.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/control/discover.h"
#include "gateway/control/model.h"
#include "gateway/proxy/event_loop.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// How long sources wait, in `second_ms` each, which shortens tests.
inline constexpr uint32_t kRetryFirstS = 1;  // after a failure, then twice as long each time
inline constexpr uint32_t kRetryMaxS = 60;
inline constexpr uint32_t kTtlFloorS = 5;  // a name is not asked for more often, whatever its TTL
inline constexpr uint32_t kTtlCeilingS = 300;     // nor less often
inline constexpr uint32_t kFileLookS = 5;         // for changes that the kernel does not tell
inline constexpr uint32_t kFileSettledS = 2;      // so old is such a change before it is read
inline constexpr uint32_t kEtcdListS = 60;        // at least so often, whatever the watch says
inline constexpr size_t kEtcdBytesMax = 4 << 20;  // of one answer

// All of one answer. An entry that cannot be read is left out and counted.
struct Found {
  std::vector<Target> targets;  // port 0: the group's
  size_t unusable = 0;
  std::string why;  // the first of them
};

// Everything that is there now, or why that is not known. From the loop, never from within the
// creation or destruction of the source. May not destroy the source.
using Heard = std::function<void(Result<Found>)>;

class Source {
 public:
  virtual ~Source() = default;
};

std::unique_ptr<Source> make_source(EventLoop& loop, const DiscoverSettings& settings, Heard heard,
                                    uint32_t second_ms);

// Twice as long with every failure in a row.
class Backoff {
 public:
  uint32_t next_s() {
    const uint32_t now_s = next_s_;
    next_s_ = std::min(2 * next_s_, kRetryMaxS);
    return now_s;
  }
  void reset() { next_s_ = kRetryFirstS; }

 private:
  uint32_t next_s_ = kRetryFirstS;
};

}  // namespace sluice::gateway
