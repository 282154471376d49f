// SPDX-License-Identifier: Apache-2.0
// Floods, flows without a name, packets that lie: what they cost is counted exactly.
#include <gtest/gtest.h>

#include "inspect/dpi/classifier.h"
#include "inspect/dpi/client_hello_for_test.h"
#include "inspect/stream/flow_table.h"
#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;
using tunnels::kTcpAck;

constexpr int64_t kTime = 1'700'000'000'000'000;

class Bounds : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { classifier = Classifier::create()->release(); }
  static void TearDownTestSuite() { delete classifier; }

  using Flows = FlowTable<FlowClassification>;
  static Flows table(uint32_t flows_max) {
    FlowTableOptions options;
    options.flows_max = flows_max;
    return {options, [](Flows::Record& record, FlowEnd) {
              classifier->finish(record.user, record.to_server);
            }};
  }
  static void show(Flows& flows, const Bytes& ip) {
    const tunnels::packet packet = testing::parsed(ip);
    classifier->feed(flows.see(packet, kTime).record->user, ip, packet, kTime);
  }
  // Another source address and port each time.
  static void vary(Bytes& ip, uint32_t number) {
    tunnels::store_be32(&ip[12], 0x0b000000 + number);
    tunnels::store_be16(&ip[20], static_cast<uint16_t>(50000 + number % 1000));
  }

  static Classifier* classifier;
};
Classifier* Bounds::classifier = nullptr;

TEST_F(Bounds, AMillionOnePacketFlows) {
  constexpr uint32_t kFlows = 1'000'000;
  constexpr uint32_t kTable = 1024;
  const ClassifierCounters before = classifier->counters();
  FlowTableOptions options;
  options.flows_max = kTable;
  uint64_t ended = 0;
  Flows flows(options, [&](Flows::Record& record, FlowEnd) {
    EXPECT_FALSE(record.user.final());
    ended++;
  });
  Bytes syn = testing::tcp({"10.0.0.1", "10.0.0.2", 40000, 443}, tunnels::kTcpSyn, 1, 0);
  for (uint32_t i = 0; i < kFlows; i++) {
    vary(syn, i);
    show(flows, syn);
  }
  EXPECT_EQ(flows.size(), kTable);
  EXPECT_EQ(flows.counters().created, kFlows);
  EXPECT_EQ(flows.counters().evicted, kFlows - kTable);
  EXPECT_EQ(ended, kFlows - kTable);
  EXPECT_EQ(classifier->counters().searches, before.searches) << "no memory of nDPI's";
  EXPECT_EQ(classifier->counters().packets, before.packets);
}

// What such a flow costs when it ends: one packet shown, for the guess by its port.
TEST_F(Bounds, TheEndOfAOnePacketFlow) {
  constexpr uint32_t kFlows = 20'000;
  const ClassifierCounters before = classifier->counters();
  Flows flows = table(64);
  Bytes syn = testing::tcp({"10.0.0.1", "10.0.0.2", 40000, 443}, tunnels::kTcpSyn, 1, 0);
  for (uint32_t i = 0; i < kFlows; i++) {
    vary(syn, i);
    show(flows, syn);
  }
  flows.end_all(FlowEnd::kShutdown);
  EXPECT_EQ(classifier->counters().searches - before.searches, kFlows);
  EXPECT_EQ(classifier->counters().packets - before.packets, kFlows);
  EXPECT_EQ(classifier->counters().gave_up, before.gave_up) << "TLS, by port 443";
}

TEST_F(Bounds, FlowsThatNeverIdentify) {
  constexpr uint32_t kFlows = 300;
  const ClassifierCounters before = classifier->counters();
  Flows flows = table(kFlows);
  Bytes ip = testing::udp({"10.0.0.1", "10.0.0.2", 40000, 31337},
                          std::string(90, static_cast<char>(0xd7)));
  for (uint32_t packet = 0; packet < 50; packet++) {
    for (uint32_t i = 0; i < kFlows; i++) {
      vary(ip, i);
      show(flows, ip);
    }
  }
  EXPECT_EQ(flows.size(), kFlows);
  EXPECT_EQ(classifier->counters().searches - before.searches, kFlows);
  EXPECT_EQ(classifier->counters().packets - before.packets, kFlows * (kDpiOtherPacketsMax + 1));
  EXPECT_EQ(classifier->counters().gave_up - before.gave_up, kFlows);
}

TEST_F(Bounds, EarlySegmentsOfManyConnectionsStayInTheBudget) {
  const ClassifierCounters before = classifier->counters();
  constexpr uint32_t kFlows = 1500;
  constexpr size_t kPayload = 1400;
  {
    Flows flows = table(kFlows);
    Bytes first = testing::tcp({"10.0.0.1", "10.0.0.2", 40000, 31337}, kTcpAck, 1, 1, "x");
    Bytes early = testing::tcp({"10.0.0.1", "10.0.0.2", 40000, 31337}, kTcpAck, 100'000, 1,
                               std::string(kPayload, static_cast<char>(0xd7)));
    for (uint32_t i = 0; i < kFlows; i++) {
      vary(first, i);
      vary(early, i);
      show(flows, first);
      for (size_t n = 0; n < kEarlySegmentsMax; n++) {
        tunnels::store_be32(&early[24], static_cast<uint32_t>(100'000 - n * 2000));
        show(flows, early);
      }
    }
    const uint64_t fit = EarlyBudget{}.max / early.size();
    EXPECT_EQ(classifier->early_bytes(), fit * early.size());
    EXPECT_EQ(classifier->counters().early - before.early, fit);
    EXPECT_EQ(classifier->counters().early_full - before.early_full,
              kFlows * kEarlySegmentsMax - fit);
    flows.end_all(FlowEnd::kShutdown);
  }
  EXPECT_EQ(classifier->early_bytes(), 0u);
}

TEST_F(Bounds, ANameThatIsNotSentIsNotKnown) {
  FlowClassification flow;
  const Bytes ip =
      testing::tcp({"10.0.0.1", "10.0.0.2", 40000, 443}, kTcpAck, 1, 1, testing::client_hello(""));
  const tunnels::packet packet = testing::parsed(ip);
  classifier->feed(flow, ip, packet, kTime);
  classifier->finish(flow, packet.tuple);
  EXPECT_EQ(classifier->name(flow.application()), "TLS");
  EXPECT_TRUE(flow.findings().host.empty());
  EXPECT_FALSE(flow.findings().ja3_client.empty());
}

// A TCP header length that is too short, or longer than the packet: no payload, no search.
TEST_F(Bounds, HeaderLengthsThatLie) {
  const uint64_t searches = classifier->counters().searches;
  for (const uint8_t words : {0, 4, 15}) {
    Bytes ip = testing::tcp({"10.0.0.1", "10.0.0.2", 40000, 80}, kTcpAck, 1, 1, "GET / HTTP");
    ip[32] = static_cast<uint8_t>(words << 4);
    ip.shrink_to_fit();
    FlowClassification flow;
    EXPECT_FALSE(classifier->feed(flow, ip, testing::parsed(ip), kTime));
    EXPECT_EQ(classifier->counters().searches, searches);
  }
}

}  // namespace
}  // namespace sluice::inspect
