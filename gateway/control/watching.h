// SPDX-License-Identifier: Apache-2.0
// Who wants to see packets, and gives each what fits.
//
// While nobody does, the packet path looks at nothing and there are no rings. What comes from the
// kernel is put in the order of time across CPUs, a moment later.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "gateway/datapath/host.h"
#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {

class Watching {
 public:
  static constexpr uint64_t kTakeMs = 5;          // how long sightings wait for others
  static constexpr uint64_t kLateNs = 2'000'000;  // how late one may be in another CPU's ring
  static constexpr size_t kWaitingMax = 1 << 14;  // sightings; further ones are lost

  // Looks for as long as it lives.
  class Watcher {
   public:
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    // Sightings that should have come, and could not.
    uint64_t lost() const;
    // Gives it all that has been seen so far.
    void take_now();

   private:
    friend class Watching;
    Watcher(Watching& owner, size_t place) : owner_(owner), place_(place) {}
    Watching& owner_;
    size_t place_;
  };

  // Both outlive it.
  Watching(EventLoop& loop, DataPathHost& host);
  ~Watching();

  // `wanted.bytes` is at most kWatchBytesMax. The taker may destroy no watcher.
  Result<std::unique_ptr<Watcher>> look(const watch& wanted, TakeSighting taker);
  size_t watchers() const;
  // The present time on the clock of sightings.
  uint64_t now_ns() const;

 private:
  struct Place {
    TakeSighting taker;  // empty: nobody
    watch wanted;
    uint64_t lost_before;  // by the path, until it began
    uint64_t lost;         // here
  };
  struct Waiting {
    sighting seen;
    std::vector<uint8_t> bytes;
  };
  void end(size_t place);
  void set_bit(size_t place, bool on);
  Result<> open_rings();
  void seen_here(const sighting& seen, std::span<const uint8_t> bytes);
  void wait(const sighting& seen, std::span<const uint8_t> bytes);
  void give_until(uint64_t time_ns);
  void give(const sighting& seen, std::span<const uint8_t> bytes);
  uint64_t lost_in_path(size_t place) const;

  EventLoop& loop_;
  DataPathHost& host_;
  std::array<Place, kWatchesMax> places_{};
  size_t next_ = 0;  // where the search for a free place begins
  sighting_taker in_process_;
  std::vector<Waiting> waiting_;  // from the kernel: for those that are late
  std::unique_ptr<Rings> rings_;
  Watch watch_;  // of the rings: goes before them
  Timer timer_;
};

}  // namespace sluice::gateway
