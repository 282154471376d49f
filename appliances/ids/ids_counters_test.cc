// SPDX-License-Identifier: Apache-2.0
// What fragments are counted as, as the `stats` event says it.
#include "appliances/ids/ids_counters.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliances/ids/ids_appliance.h"
#include "inspect/stream/defrag.h"
#include "inspect/stream/test_packets.h"

namespace sluice::ids {
namespace {

using inspect::testing::Bytes;
using inspect::testing::fragment;
using nlohmann::json;

struct Nowhere : sdk::Injector {
  void inject(std::span<const uint8_t>) override {}
};

class FragmentCountersTest : public ::testing::Test {
 protected:
  void start(const inspect::DefragLimits& limits) {
    IdsOptions options;
    options.inspection.defrag = limits;
    options.inspection.events.types = *inspect::EventTypes::parse("stats");
    auto made = make_ids(options, eve_);
    ASSERT_TRUE(made) << made.error().text();
    appliance_ = std::move(*made);
  }
  void send(Bytes ip) {
    sdk::Packet packet{ip, 1, 2, time_us_};
    Nowhere nowhere;
    (void)appliance_->handle(packet, nowhere);
  }
  void send_both_halves(const Bytes& whole, uint16_t id) {
    send(fragment(whole, 0, 64, id));
    send(fragment(whole, 64, 64, id));
  }
  // "defrag" of the event at the end, without what is 0.
  json counted() {
    eve_.clear();
    appliance_->finish(time_us_);
    const json defrag = json::parse(eve_.text()).at("stats").at("defrag").flatten();
    json out;
    for (const auto& [name, value] : defrag.items()) {
      if (value != 0) out[name] = value;
    }
    return out;
  }

  const Bytes whole_ = inspect::testing::udp({}, std::string(100, 'a'));
  const Bytes other_ = inspect::testing::udp({}, std::string(100, 'X'));
  const Bytes ipv6_ = inspect::testing::udp({"fd00::1", "fd00::2", 5, 6}, std::string(100, 'a'));
  inspect::MemorySink eve_;
  std::unique_ptr<IdsAppliance> appliance_;
  int64_t time_us_ = 1'700'000'000'000'000;
};

constexpr uint64_t kWaiting = 64 + inspect::kFragmentOverhead + inspect::kDatagramOverhead;

// Each another number, so that none is taken for another.
TEST_F(FragmentCountersTest, EachHasItsName) {
  start({});
  send_both_halves(whole_, 1);
  for (int i = 0; i < 3; i++) send(fragment(whole_, 0, 64, 1));
  for (int i = 0; i < 9; i++) send(fragment(other_, 0, 64, 1));
  for (int i = 0; i < 4; i++) send(fragment(whole_, 0, 20, 2));  // not a multiple of 8
  for (uint16_t id = 10; id < 16; id++) send(fragment(whole_, 0, 64, id));
  for (const uint16_t id : {1, 2}) send_both_halves(ipv6_, id);
  send(fragment(ipv6_, 0, 64, 3));
  time_us_ += inspect::DefragLimits().timeout_us;
  for (int id = 20; id < 22; id++) send(fragment(whole_, 0, 64, static_cast<uint16_t>(id)));
  EXPECT_EQ(counted(), (json{{"/ipv4/fragments", 26},
                             {"/ipv4/reassembled", 1},
                             {"/ipv6/fragments", 5},
                             {"/ipv6/reassembled", 2},
                             {"/repeats", 3},
                             {"/overlaps", 9},
                             {"/invalid", 4},
                             {"/wrk/tracker_timeout", 6 + 1},
                             {"/memuse", 2 * kWaiting}}));
}

TEST_F(FragmentCountersTest, EachLimitHasItsName) {
  const struct {
    inspect::DefragLimits limits;
    const char* reached;
  } table[] = {{{.datagrams_max = 2}, "/max_trackers_reached"},
               {{.fragments_max = 2}, "/max_frags_reached"},
               {{.memory_max = 2 * kWaiting}, "/memcap_reached"}};
  for (const auto& [limits, reached] : table) {
    start(limits);
    for (uint16_t id = 0; id < 5; id++) send(fragment(whole_, 0, 64, id));
    EXPECT_EQ(counted(), (json{{"/ipv4/fragments", 5}, {reached, 3}, {"/memuse", 2 * kWaiting}}));
  }
}

TEST_F(FragmentCountersTest, WhatIsForgottenToMakeRoom) {
  start({.datagrams_max = 2});
  for (uint16_t id = 0; id < 5; id++) send_both_halves(whole_, id);
  EXPECT_EQ(counted().at("/tracker_soft_reuse"), 3);
}

}  // namespace
}  // namespace sluice::ids
