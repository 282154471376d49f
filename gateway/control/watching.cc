// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/watching.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace sluice::gateway {
namespace {

// The kernel host's clock.
uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Watching::Watching(EventLoop& loop, DataPathHost& host)
    : loop_(loop), host_(host), timer_(loop, [this] {
        rings_->take();
        give_until(monotonic_ns() - kLateNs);
      }) {
  in_process_ = {[](void* self, const sighting* seen, const __u8* bytes) {
                   static_cast<Watching*>(self)->seen_here(*seen, {bytes, seen->captured});
                 },
                 this};
  host_.tables().settings[0].watching = 0;  // a former daemon's
}

Watching::~Watching() {
  host_.tables().settings[0].watching = 0;
  host_.tables().sightings = nullptr;
}

Result<std::unique_ptr<Watching::Watcher>> Watching::look(const watch& wanted, TakeSighting taker) {
  // Another place each time: what is still on its way is for who was there before.
  for (size_t i = 0; i < kWatchesMax; i++) {
    const size_t place = next_++ % kWatchesMax;
    if (places_[place].taker) continue;
    if (watchers() == 0) SLUICE_TRY_VOID(open_rings());
    places_[place] = {std::move(taker), wanted, lost_in_path(place), 0};
    Tables& tables = host_.tables();
    tables.sightings = &in_process_;
    tables.watches[0].watch[place] = wanted;
    set_bit(place, true);
    return std::unique_ptr<Watcher>(new Watcher(*this, place));
  }
  return fail("there are " + std::to_string(kWatchesMax) + " who look already");
}

size_t Watching::watchers() const {
  return static_cast<size_t>(
      std::ranges::count_if(places_, [](const Place& p) { return p.taker != nullptr; }));
}

uint64_t Watching::now_ns() const { return rings_ ? monotonic_ns() : host_.now_ms() * 1'000'000; }

void Watching::set_bit(size_t place, bool on) {
  __u16& watching = host_.tables().settings[0].watching;
  const auto bit = static_cast<__u16>(1 << place);
  __atomic_store_n(&watching, static_cast<__u16>(on ? watching | bit : watching & ~bit),
                   __ATOMIC_RELEASE);
}

void Watching::end(size_t place) {
  set_bit(place, false);
  places_[place] = {};
  if (watchers() != 0) return;
  host_.tables().sightings = nullptr;
  timer_.cancel();
  watch_.stop();
  rings_.reset();
  waiting_.clear();
}

Result<> Watching::open_rings() {
  SLUICE_TRY(rings_,
             host_.sightings([this](const sighting& seen, auto bytes) { wait(seen, bytes); }));
  if (!rings_) return {};
  return watch_.start(loop_, rings_->fd(), EPOLLIN, [this](uint32_t) {
    rings_->take();
    if (!timer_.armed()) timer_.set_after(kTakeMs);
  });
}

void Watching::seen_here(const sighting& seen, std::span<const uint8_t> bytes) {
  if (!rings_) return give(seen, bytes);
  sighting now = seen;
  now.time_ns = monotonic_ns();  // as the kernel's: the path's own clock is coarser
  wait(now, bytes);
  if (!timer_.armed()) timer_.set_after(kTakeMs);
}

void Watching::wait(const sighting& seen, std::span<const uint8_t> bytes) {
  if (waiting_.size() < kWaitingMax) {
    waiting_.push_back({seen, {bytes.begin(), bytes.end()}});
    return;
  }
  for (size_t place = 0; place < kWatchesMax; place++)
    places_[place].lost += seen.watches >> place & 1;
}

void Watching::give_until(uint64_t time_ns) {
  std::ranges::stable_sort(waiting_, {}, [](const Waiting& w) { return w.seen.time_ns; });
  const auto end = std::ranges::upper_bound(waiting_, time_ns, {},
                                            [](const Waiting& w) { return w.seen.time_ns; });
  for (auto at = waiting_.begin(); at != end; ++at) give(at->seen, at->bytes);
  waiting_.erase(waiting_.begin(), end);
  if (!waiting_.empty()) timer_.set_after(kTakeMs);
}

void Watching::give(const sighting& seen, std::span<const uint8_t> bytes) {
  for (size_t place = 0; place < kWatchesMax; place++) {
    const Place& to = places_[place];
    if (!(seen.watches >> place & 1) || !to.taker) continue;
    sighting one = seen;
    one.captured = std::min(seen.captured, to.wanted.bytes);
    to.taker(one, bytes.first(one.captured));
  }
}

uint64_t Watching::lost_in_path(size_t place) const {
  uint64_t sum = 0;
  for (size_t cpu = 0; cpu < kCpusMax; cpu++) sum += host_.tables().watch_states[cpu].lost[place];
  return sum;
}

Watching::Watcher::~Watcher() { owner_.end(place_); }

uint64_t Watching::Watcher::lost() const {
  const Place& place = owner_.places_[place_];
  return owner_.lost_in_path(place_) - place.lost_before + place.lost;
}

void Watching::Watcher::take_now() {
  if (!owner_.rings_) return;
  owner_.rings_->take();
  owner_.give_until(UINT64_MAX);
}

}  // namespace sluice::gateway
