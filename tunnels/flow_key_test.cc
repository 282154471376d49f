// SPDX-License-Identifier: Apache-2.0
#include "tunnels/flow_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>
#include <unordered_set>
#include <vector>

#include "tunnels/frames_for_test.h"

namespace sluice::tunnels {
namespace {

using namespace frames;

const siphash_key kSecret = {0x0011223344556677, 0x8899aabbccddeeff};
const flow_hash_key kKey = flow_hash_key_from(&kSecret);

// The tuple itself is shared with the packet path's other languages: a C struct without hidden
// bytes.
static_assert(sizeof(tuple) == 40 && sizeof(flow_key) == 40);

tuple tuple_of(const Bytes& ip) {
  packet p;
  EXPECT_EQ(parse_ip_packet(ip, p), kDropNone);
  return p.tuple;
}

tuple turned(const tuple& t) {
  tuple r = t;
  std::memcpy(r.source, t.destination, 16);
  std::memcpy(r.destination, t.source, 16);
  r.source_port = t.destination_port;
  r.destination_port = t.source_port;
  return r;
}

tuple random_tuple(std::mt19937& random) {
  tuple t{};
  t.version = random() % 2 ? 4 : 6;
  const size_t words = t.version == 4 ? 1 : 4;
  for (size_t i = 0; i < words; i++) {
    t.source[i] = static_cast<uint32_t>(random());
    // Equal words are what the order has to look past.
    t.destination[i] = random() % 2 ? t.source[i] : static_cast<uint32_t>(random());
  }
  t.source_port = static_cast<uint16_t>(random());
  t.destination_port = static_cast<uint16_t>(random());
  t.protocol = random() % 2 ? kProtocolTcp : kProtocolUdp;
  return t;
}

TEST(FlowKey, BothDirectionsHaveOneKeyAndHashAndOppositeDirectionBits) {
  std::mt19937 random(3);
  for (int i = 0; i < 5000; i++) {
    const tuple t = random_tuple(random);
    flow_key there;
    flow_key back;
    const uint32_t direction = flow_key_from_tuple(&there, &t);
    const tuple r = turned(t);
    EXPECT_EQ(flow_key_from_tuple(&back, &r), 1 - direction);
    EXPECT_EQ(0, memcmp(&there, &back, sizeof(flow_key)));
    EXPECT_TRUE(flow_key_equal(&there, &back));
    for (uint32_t form : {kFlowHash5Tuple, kFlowHash3Tuple, kFlowHash2Tuple})
      EXPECT_EQ(flow_hash(&kKey, &there, form), flow_hash(&kKey, &back, form));
  }
}

TEST(FlowKey, AnEndThatTalksToItselfHasDirectionZero) {
  const tuple t =
      tuple_of(ipv4(17, udp(5, 5), {.source = {10, 0, 0, 1}, .destination = {10, 0, 0, 1}}));
  flow_key key;
  EXPECT_EQ(flow_key_from_tuple(&key, &t), 0u);
}

TEST(FlowKey, AnIcmpErrorFindsItsFlowAndDirection) {
  const Bytes sent4 = ipv4(6, tcp(1000, 80));
  const Bytes error4 = ipv4(1, icmp(3, 4, first(sent4, 28)),
                            {.source = {192, 0, 2, 9}, .destination = {10, 0, 0, 1}});
  const Bytes sent6 = ipv6(17, udp(1000, 53));
  const Bytes error6 = ipv6(58, icmp(2, 0, sent6), {.source = Bytes(16, 7)});
  for (const auto& [sent, error] : {std::pair{sent4, error4}, std::pair{sent6, error6}}) {
    const tuple forward = tuple_of(sent);
    const tuple backward = tuple_of(error);
    flow_key a;
    flow_key b;
    EXPECT_NE(flow_key_from_tuple(&a, &forward), flow_key_from_tuple(&b, &backward));
    EXPECT_TRUE(flow_key_equal(&a, &b));
    EXPECT_EQ(flow_hash(&kKey, &a, kFlowHash5Tuple), flow_hash(&kKey, &b, kFlowHash5Tuple));
  }
}

TEST(FlowKey, EveryFieldCounts) {
  for (const Bytes& ip : {ipv4(6, tcp(1000, 80)), ipv6(6, tcp(1000, 80))}) {
    const tuple t = tuple_of(ip);
    flow_key key;
    flow_key_from_tuple(&key, &t);
    for (size_t byte = 0; byte < offsetof(flow_key, zero); byte++) {
      if (byte == offsetof(flow_key, version)) continue;
      if (key.version == 4 && byte >= offsetof(flow_key, rest) && byte < offsetof(flow_key, port))
        continue;
      flow_key other = key;
      reinterpret_cast<uint8_t*>(&other)[byte] ^= 1;
      EXPECT_FALSE(flow_key_equal(&key, &other)) << byte;
      EXPECT_NE(flow_hash(&kKey, &key, kFlowHash5Tuple), flow_hash(&kKey, &other, kFlowHash5Tuple))
          << byte;
    }
  }
}

TEST(FlowKey, FormsLeaveOutWhatTheyShould) {
  const auto hash = [](const Bytes& ip, uint32_t form) {
    const tuple t = tuple_of(ip);
    flow_key key;
    flow_key_from_tuple(&key, &t);
    return flow_hash(&kKey, &key, form);
  };
  const Bytes a = ipv4(6, tcp(1000, 80));
  const Bytes other_port = ipv4(6, tcp(1001, 80));
  const Bytes other_protocol = ipv4(17, udp(1000, 80));
  EXPECT_NE(hash(a, kFlowHash5Tuple), hash(other_port, kFlowHash5Tuple));
  EXPECT_EQ(hash(a, kFlowHash3Tuple), hash(other_port, kFlowHash3Tuple));
  EXPECT_NE(hash(a, kFlowHash3Tuple), hash(other_protocol, kFlowHash3Tuple));
  EXPECT_EQ(hash(a, kFlowHash2Tuple), hash(other_protocol, kFlowHash2Tuple));
  EXPECT_NE(hash(a, kFlowHash2Tuple),
            hash(ipv4(6, tcp(1000, 80), {.source = {10, 0, 0, 3}}), kFlowHash2Tuple));
  EXPECT_NE(hash(a, kFlowHash3Tuple), hash(a, kFlowHash2Tuple)) << "the form itself is hashed";
}

TEST(FlowKey, TheKeyMatters) {
  const tuple t = tuple_of(ipv4(6, tcp(1000, 80)));
  flow_key key;
  flow_key_from_tuple(&key, &t);
  const siphash_key other_secret = {kSecret.k0, kSecret.k1 ^ 1};
  const flow_hash_key other = flow_hash_key_from(&other_secret);
  EXPECT_NE(flow_hash(&kKey, &key, kFlowHash5Tuple), flow_hash(&other, &key, kFlowHash5Tuple));
}

// One client, 64k source ports, 64 buckets: 1024 each. Six standard deviations are 6 * sqrt(1024) =
// 192.
TEST(FlowKey, NeighbouringFlowsSpreadEvenly) {
  int buckets[64] = {};
  tuple t = tuple_of(ipv4(6, tcp(0, 80)));
  for (uint32_t port = 0; port < 65536; port++) {
    t.source_port = static_cast<uint16_t>(port);
    flow_key key;
    flow_key_from_tuple(&key, &t);
    buckets[flow_hash(&kKey, &key, kFlowHash5Tuple) % 64]++;
  }
  for (int count : buckets) EXPECT_NEAR(count, 1024, 192);
}

// What an outsider can choose freely, in regular patterns: no two flows have one hash, and no
// bucket of the flow table gets more than chance would give it (a mean of 4; 8 standard
// deviations).
TEST(FlowKey, ChosenPatternsDoNotCollide) {
  constexpr uint32_t kFlows = 1 << 18;
  constexpr uint32_t kBuckets = kFlows / 4;
  const std::function<void(tuple&, uint32_t)> patterns[] = {
      [](tuple& t, uint32_t i) { t.source[0] = i; },
      [](tuple& t, uint32_t i) { t.source[0] = i << 14; },
      [](tuple& t, uint32_t i) {
        t.source[0] = i >> 9;
        t.destination[0] = i & 511;
      },
      [](tuple& t, uint32_t i) {
        t.source[0] += i >> 16;
        t.source_port = static_cast<uint16_t>(i);
      },
      [](tuple& t, uint32_t i) {
        t.source_port = static_cast<uint16_t>(i >> 9);
        t.destination_port = static_cast<uint16_t>((i & 511) << 7);
      },
  };
  for (size_t pattern = 0; pattern < std::size(patterns); pattern++) {
    std::unordered_set<uint64_t> hashes;
    std::vector<int> buckets(kBuckets);
    for (uint32_t i = 0; i < kFlows; i++) {
      tuple t = tuple_of(ipv4(6, tcp(1000, 80)));
      patterns[pattern](t, i);
      flow_key key;
      flow_key_from_tuple(&key, &t);
      const uint64_t hash = flow_hash(&kKey, &key, kFlowHash5Tuple);
      hashes.insert(hash);
      buckets[hash % kBuckets]++;
    }
    EXPECT_EQ(hashes.size(), kFlows) << pattern;
    EXPECT_LE(*std::ranges::max_element(buckets), 20) << pattern;
  }
}

}  // namespace
}  // namespace sluice::tunnels
