// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/watching.h"

#include <sys/eventfd.h>

#include "gateway/control/control_plane_fixture.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kAllStages = (1u << kSeenStages) - 1;

watch all() { return {0, {}, kAllStages, 100, kNone16, 0, kWatchAnyProtocol, 0, 0}; }

// A host whose sightings come from elsewhere, as the kernel's do.
class HostForTest final : public DataPathHost {
 public:
  struct RingsForTest final : Rings {
    int fd() const override { return ready.get(); }
    void take() override {
      uint64_t count = 0;
      (void)::read(ready.get(), &count, sizeof(count));
      for (const sighting& seen : std::exchange(there, {})) taker(seen, bytes);
    }
    UniqueFd ready{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    std::vector<sighting> there;
    std::vector<uint8_t> bytes = std::vector<uint8_t>(100, 7);
    TakeSighting taker;
  };

  Tables& tables() override { return host_->tables(); }
  Result<> attach(uint32_t, Entry) override { return {}; }
  Result<> detach(uint32_t) override { return {}; }
  uint64_t now_ms() const override { return 0; }
  Result<std::unique_ptr<Rings>> sightings(TakeSighting taker) override {
    auto made = std::make_unique<RingsForTest>();
    made->taker = std::move(taker);
    rings = made.get();
    return made;
  }
  void leave(uint64_t time_ns, uint32_t watches) {
    sighting seen{};
    seen.time_ns = time_ns;
    seen.watches = watches;
    seen.captured = 100;
    rings->there.push_back(seen);
    const uint64_t one = 1;
    EXPECT_EQ(::write(rings->ready.get(), &one, sizeof(one)), 8);
  }

  RingsForTest* rings = nullptr;

 private:
  std::unique_ptr<ProcessHost> host_ = std::move(*ProcessHost::create({1024}));
};

class WatchingTest : public testing::Test {
 protected:
  TakeSighting taker() {
    return [this](const sighting& seen, auto bytes) {
      EXPECT_EQ(seen.captured, bytes.size());
      times.push_back(seen.time_ns);
    };
  }
  void turn_until(size_t count) {
    constexpr uint64_t kPatienceMs = 60'000;
    const uint64_t end = loop->now_ms() + kPatienceMs;
    while (times.size() < count && loop->now_ms() < end) loop->turn(5);
    EXPECT_EQ(times.size(), count);
  }
  uint16_t bits() { return host.tables().settings[0].watching; }

  std::unique_ptr<EventLoop> loop = std::move(*EventLoop::create());
  HostForTest host;
  Watching watching{*loop, host};
  std::vector<uint64_t> times;
};

TEST_F(WatchingTest, ThePathLooksOnlyWhileSomebodyDoes) {
  EXPECT_EQ(bits(), 0);
  auto first = std::move(*watching.look(all(), taker()));
  EXPECT_EQ(bits(), 1);
  auto second = std::move(*watching.look(all(), taker()));
  EXPECT_EQ(bits(), 3);
  first.reset();
  EXPECT_EQ(bits(), 2);
  EXPECT_NE(host.tables().sightings, nullptr);
  second.reset();
  EXPECT_EQ(bits(), 0);
  EXPECT_EQ(host.tables().sightings, nullptr);
  EXPECT_EQ(watching.watchers(), 0u);
}

TEST_F(WatchingTest, SoManyMayLookAndNoMore) {
  std::vector<std::unique_ptr<Watching::Watcher>> watchers;
  for (size_t i = 0; i < kWatchesMax; i++)
    watchers.push_back(std::move(*watching.look(all(), taker())));
  const auto refused = watching.look(all(), taker());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "there are 8 who look already");
  watchers.erase(watchers.begin() + 3);
  EXPECT_TRUE(watching.look(all(), taker()));
}

TEST_F(WatchingTest, SightingsComeInTheOrderOfTime) {
  const auto watcher = std::move(*watching.look(all(), taker()));
  for (const uint64_t time_ns : {30, 10, 20}) host.leave(time_ns, 1);
  host.leave(5, 2);  // nobody's
  turn_until(3);
  EXPECT_EQ(times, (std::vector<uint64_t>{10, 20, 30}));
  // One that has just happened waits for others.
  host.leave(UINT64_MAX - 1, 1);
  host.leave(40, 1);
  turn_until(4);
  EXPECT_EQ(times.back(), 40u);
  watcher->take_now();
  EXPECT_EQ(times.back(), UINT64_MAX - 1);
}

TEST_F(WatchingTest, EachGetsAsManyBytesAsItWants) {
  watch less = all();
  less.bytes = 20;
  std::vector<size_t> sizes;
  const auto few = std::move(
      *watching.look(less, [&](const sighting&, auto bytes) { sizes.push_back(bytes.size()); }));
  const auto many = std::move(*watching.look(all(), taker()));
  host.leave(1, 3);
  many->take_now();
  EXPECT_EQ(sizes, std::vector<size_t>{20});
  EXPECT_EQ(times.size(), 1u);
}

TEST_F(WatchingTest, WhatIsLostIsCounted) {
  host.tables().watch_states[3].lost[0] = 7;  // before
  const auto watcher = std::move(*watching.look(all(), taker()));
  EXPECT_EQ(watcher->lost(), 0u);
  host.tables().watch_states[1].lost[0] = 2;
  host.tables().watch_states[3].lost[0] = 8;
  EXPECT_EQ(watcher->lost(), 3u);
  for (size_t i = 0; i < Watching::kWaitingMax + 5; i++) host.leave(i, 1);
  watcher->take_now();
  EXPECT_EQ(times.size(), Watching::kWaitingMax);
  EXPECT_EQ(watcher->lost(), 8u);
}

class WatchingHere : public ControlPlaneFixture {};

// What the path does in this process comes at once, and a commit changes nothing about it.
TEST_F(WatchingHere, ThePathInThisProcessIsSeen) {
  size_t seen = 0;
  const auto watcher =
      std::move(*plane.watching().look(all(), [&](const sighting&, auto) { seen++; }));
  ASSERT_TRUE(plane.commit("test", [](Config& next) {
    return register_target(next, "ids", {*parse_ip_address("10.9.0.40"), 0});
  }));
  FrameBuffer buffer;
  buffer.assign(std::vector<uint8_t>(60, 0));
  host->run(buffer, 1);
  EXPECT_EQ(seen, 2u);
}

}  // namespace
}  // namespace sluice::gateway
