// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/geneve_reply.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace sluice::sdk {
namespace {

using Bytes = std::vector<uint8_t>;

// The header that a gateway sends, byte by byte: docs/wire/geneve.md.
const Bytes kHeader = {0x08, 0x00, 0x08, 0x00, 0,    0,    0,    0,    0x01, 0x08,
                       0x01, 0x02, 0x2b, 0x8e, 0xe1, 0xd4, 0xdb, 0x0c, 0x51, 0xc4,
                       0x01, 0x08, 0x02, 0x02, 0,    0,    0,    0,    0,    0,
                       0,    0,    0x01, 0x08, 0x03, 0x01, 0xc0, 0x0c, 0x1e, 0x01};

Bytes ipv4(size_t length) {
  Bytes ip(length, 0xa5);
  ip[0] = 0x45;
  tunnels::store_be16(&ip[2], static_cast<uint16_t>(length));
  return ip;
}

Bytes ipv6(size_t length) {
  Bytes ip(length, 0x5a);
  ip[0] = 0x60;
  tunnels::store_be16(&ip[4], static_cast<uint16_t>(length - 40));
  return ip;
}

Bytes operator+(const Bytes& a, const Bytes& b) {
  Bytes sum = a;
  sum.insert(sum.end(), b.begin(), b.end());
  return sum;
}

struct Recorder : ReplySink {
  std::vector<Bytes> replies;
  void returned(std::span<uint8_t> datagram, bool) override {
    replies.emplace_back(datagram.begin(), datagram.end());
  }
  bool injected(std::span<const uint8_t> header, std::span<const uint8_t> ip) override {
    Bytes out(kDatagramLengthMax);
    out.resize(write_datagram(header, ip, out));
    if (out.empty()) return false;
    replies.push_back(out);
    return true;
  }
};

struct Scripted : Appliance {
  std::function<Answer(Packet&, Injector&)> script;
  explicit Scripted(std::function<Answer(Packet&, Injector&)> s) : script(std::move(s)) {}
  Answer handle(Packet& packet, Injector& injector) override { return script(packet, injector); }
};

// In a buffer with room for a hint, as a worker's.
void answer(const Bytes& datagram, int64_t time_us, Appliance& appliance, Recorder& recorder,
            Counters& counters) {
  Bytes buffer = datagram;
  buffer.resize(datagram.size() + kHintOptionLength);
  answer_datagram(buffer, datagram.size(), time_us, appliance, recorder, counters);
}

TEST(GeneveReply, EchoesTheHeaderAndTheChangedPacket) {
  Bytes datagram = kHeader + ipv4(60);
  Scripted appliance([](Packet& packet, Injector&) {
    EXPECT_EQ(packet.endpoint_id, 0x2b8ee1d4db0c51c4u);
    EXPECT_EQ(packet.flow_cookie, 0xc00c1e01u);
    EXPECT_EQ(packet.time_us, 7);
    EXPECT_EQ(packet.ip.size(), 60u);
    packet.ip[8] = 63;
    return Answer::kReturn;
  });
  Recorder recorder;
  Counters counters;
  answer(datagram, 7, appliance, recorder, counters);
  Bytes expected = kHeader + ipv4(60);
  expected[40 + 8] = 63;
  ASSERT_EQ(recorder.replies.size(), 1u);
  EXPECT_EQ(recorder.replies[0], expected);
  EXPECT_EQ(counters.returned.get(), 1u);
}

TEST(GeneveReply, EchoesUnknownOptionsAndReservedBits) {
  Bytes header = kHeader;
  header[0] += 2;
  header[1] = 0x3f;  // reserved
  header[7] = 0xff;  // reserved
  const Bytes unknown = {0xaa, 0xbb, 0x01, 0xe1, 1, 2, 3, 4};
  Bytes datagram = header + unknown + ipv4(28);
  const Bytes before = datagram;
  Scripted appliance([](Packet&, Injector&) { return Answer::kReturn; });
  Recorder recorder;
  Counters counters;
  answer(datagram, 0, appliance, recorder, counters);
  ASSERT_EQ(recorder.replies.size(), 1u);
  EXPECT_EQ(recorder.replies[0], before);
}

// In every profile, what comes in goes back in it.
TEST(GeneveReply, EchoesEveryProfile) {
  for (unsigned profile = 0; profile < tunnels::kProfiles; profile++) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    tunnels::geneve fields{};
    fields.endpoint_id = 0xa1b2c3;
    fields.flow_cookie = 0xc00c1e01;
    fields.protocol = tunnels::kEtherTypeIpv4;
    const tunnels::geneve_profile& row = tunnels::kGeneveProfiles[profile];
    tunnels::geneve_say(&row, &fields, 0);
    Bytes header(row.header_length);
    tunnels::geneve_encode(header.data(), &row, &fields);
    const bool has_cookie = row.flags & tunnels::kGeneveHasCookie;
    Scripted appliance([&](Packet& packet, Injector& injector) {
      EXPECT_EQ(packet.endpoint_id, 0xa1b2c3u);
      EXPECT_EQ(packet.flow_cookie, has_cookie ? 0xc00c1e01u : 0u);
      injector.inject(ipv4(40));
      packet.hint = 9;
      return Answer::kReturn;
    });
    Recorder recorder;
    Counters counters;
    answer(header + ipv4(28), 0, appliance, recorder, counters);
    ASSERT_EQ(recorder.replies.size(), 2u);
    EXPECT_EQ(recorder.replies[0], header + ipv4(40));
    header[0] += 2;
    const Bytes hint = {0xff, 0x53, 1, 1, 0, 0, 0, 9};
    EXPECT_EQ(recorder.replies[1], header + hint + ipv4(28));
    EXPECT_TRUE(open_datagram(recorder.replies[1]));
  }
}

TEST(GeneveReply, DropSendsNothing) {
  Bytes datagram = kHeader + ipv4(28);
  Scripted appliance([](Packet&, Injector&) { return Answer::kDrop; });
  Recorder recorder;
  Counters counters;
  answer(datagram, 0, appliance, recorder, counters);
  EXPECT_TRUE(recorder.replies.empty());
  EXPECT_EQ(counters.dropped.get(), 1u);
}

TEST(GeneveReply, InjectedPacketsPrecedeAndCarryTheirOwnProtocolType) {
  Bytes datagram = kHeader + ipv4(28);
  Scripted appliance([](Packet&, Injector& injector) {
    injector.inject(ipv6(48));
    injector.inject(ipv4(40));
    return Answer::kReturn;
  });
  Recorder recorder;
  Counters counters;
  answer(datagram, 0, appliance, recorder, counters);
  Bytes header6 = kHeader;
  header6[2] = 0x86;
  header6[3] = 0xdd;
  ASSERT_EQ(recorder.replies.size(), 3u);
  EXPECT_EQ(recorder.replies[0], header6 + ipv6(48));
  EXPECT_EQ(recorder.replies[1], kHeader + ipv4(40));
  EXPECT_EQ(recorder.replies[2], kHeader + ipv4(28));
  EXPECT_EQ(counters.injected.get(), 2u);
}

TEST(GeneveReply, AHintIsOneMoreOption) {
  const Bytes datagram = kHeader + ipv4(28);
  Scripted appliance([](Packet& packet, Injector& injector) {
    injector.inject(ipv4(40));
    packet.hint = 0x1234;
    return Answer::kReturn;
  });
  Recorder recorder;
  Counters counters;
  answer(datagram, 0, appliance, recorder, counters);
  Bytes header = kHeader;
  header[0] = 0x0a;
  ASSERT_EQ(recorder.replies.size(), 2u);
  EXPECT_EQ(recorder.replies[0], kHeader + ipv4(40));  // an added packet carries no hint
  const Bytes option = {0xff, 0x53, 0x01, 0x01, 0, 0, 0x12, 0x34};
  EXPECT_EQ(recorder.replies[1], header + option + ipv4(28));
  EXPECT_EQ(counters.hinted.get(), 1u);
  EXPECT_TRUE(open_datagram(recorder.replies[1]));
  const auto plain = without_hint(recorder.replies[1]);
  EXPECT_EQ(Bytes(plain.begin(), plain.end()), datagram);
}

TEST(GeneveReply, AHintWithoutRoomOrOutOfRangeIsLeftOut) {
  const auto with_options = [](uint8_t words) {
    Bytes header = kHeader;
    header[0] = words;
    if (words > 8) {
      const uint8_t left = words - 9;  // an option's data is at most 31 words
      const uint8_t first = std::min<uint8_t>(left, 31);
      header = header + Bytes{0xaa, 0xbb, 0x01, first} + Bytes(first * 4u);
      if (left > 31) {
        const uint8_t second = left - 32;
        header = header + Bytes{0xaa, 0xbb, 0x01, second} + Bytes(second * 4u);
      }
    }
    return header + ipv4(28);
  };
  const struct {
    const char* name;
    Bytes datagram;
    uint32_t hint;
    size_t room;
    bool taken;
  } cases[] = {
      {"room to the byte", with_options(8), kHintMax, 8, true},
      {"a byte too few", with_options(8), 1, 7, false},
      {"too large", with_options(8), kHintMax + 1, 8, false},
      {"61 words of options", with_options(61), 1, 8, true},
      {"62 words of options", with_options(62), 1, 8, false},
      {"63 words of options", with_options(63), 1, 8, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Scripted appliance([&](Packet& packet, Injector&) {
      packet.hint = c.hint;
      return Answer::kReturn;
    });
    Bytes buffer = c.datagram;
    buffer.resize(c.datagram.size() + c.room);
    Recorder recorder;
    Counters counters;
    answer_datagram(buffer, c.datagram.size(), 0, appliance, recorder, counters);
    ASSERT_EQ(recorder.replies.size(), 1u);
    EXPECT_EQ(recorder.replies[0].size(), c.datagram.size() + (c.taken ? 8 : 0));
    if (!c.taken) {
      EXPECT_EQ(recorder.replies[0], c.datagram);
    }
    EXPECT_EQ(counters.hinted.get(), c.taken ? 1u : 0u);
    EXPECT_EQ(counters.hints_refused.get(), c.taken ? 0u : 1u);
  }
}

TEST(GeneveReply, RefusesBadInjections) {
  Bytes datagram = kHeader + ipv4(28);
  Scripted appliance([](Packet&, Injector& injector) {
    injector.inject({});
    injector.inject(Bytes{0x45});
    injector.inject(Bytes(40, 0x11));
    Bytes lies = ipv4(40);
    lies[3]++;
    injector.inject(lies);
    return Answer::kDrop;
  });
  Recorder recorder;
  Counters counters;
  answer(datagram, 0, appliance, recorder, counters);
  EXPECT_TRUE(recorder.replies.empty());
  EXPECT_EQ(counters.injections_refused.get(), 4u);
}

TEST(GeneveReply, InjectionsAreBounded) {
  Bytes datagram = kHeader + ipv4(28);
  Scripted appliance([](Packet&, Injector& injector) {
    for (unsigned i = 0; i < kInjectionsMax + 3; i++) injector.inject(ipv4(20));
    return Answer::kDrop;
  });
  Recorder recorder;
  Counters counters;
  answer(datagram, 0, appliance, recorder, counters);
  EXPECT_EQ(recorder.replies.size(), kInjectionsMax);
  EXPECT_EQ(counters.injections_refused.get(), 3u);
}

TEST(GeneveReply, RefusesHostileDatagrams) {
  auto with = [](size_t at, uint8_t value, Bytes bytes = kHeader + ipv4(28)) {
    bytes[at] = value;
    return bytes;
  };
  const struct {
    const char* name;
    Bytes datagram;
    tunnels::DropReason reason;
  } cases[] = {
      {"empty", {}, tunnels::kDropGeneveTruncated},
      {"version 1", with(0, 0x48), tunnels::kDropGeneveVersion},
      {"control bit", with(1, 0x80), tunnels::kDropGeneveControl},
      {"ethernet inside", with(2, 0x65), tunnels::kDropGeneveProtocol},
      {"IPv6 type, IPv4 inside", with(3, 0xdd, with(2, 0x86)), tunnels::kDropInnerInvalid},
      {"version nibble 0", with(40, 0x05), tunnels::kDropInnerInvalid},
      {"options longer than the datagram", with(0, 0x3f), tunnels::kDropGeneveTruncated},
      {"option longer than the options", with(35, 0x1f), tunnels::kDropGeneveTruncated},
      {"option of another length", with(35, 0x00), tunnels::kDropGeneveOptionMissing},
      {"no cookie", with(34, 0x04), tunnels::kDropGeneveOptionMissing},
      {"unknown critical option", with(34, 0x84), tunnels::kDropGeneveCriticalOption},
      {"another class", with(8, 0x02), tunnels::kDropGeneveOptionMissing},
      {"nothing inside", kHeader, tunnels::kDropGeneveTruncated},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Scripted never([](Packet&, Injector&) {
      ADD_FAILURE() << "the appliance saw it";
      return Answer::kReturn;
    });
    Bytes datagram = c.datagram;
    Recorder recorder;
    Counters counters;
    answer(datagram, 0, never, recorder, counters);
    EXPECT_TRUE(recorder.replies.empty());
    EXPECT_EQ(counters.refused[c.reason].get(), 1u);
  }
}

TEST(GeneveReply, CutAtEveryByteNeverReachesTheAppliance) {
  const Bytes whole = kHeader + ipv4(28);
  for (size_t length = 0; length <= kHeader.size(); length++) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_FALSE(open_datagram(cut)) << length;
  }
  Bytes shortest(whole.begin(), whole.begin() + 41);
  EXPECT_TRUE(open_datagram(shortest));
}

TEST(Counters, JsonNamesWhatHappened) {
  Counters a;
  Counters b;
  a.received.add(2);
  b.received.add();
  b.refused[tunnels::kDropGeneveVersion].add();
  const Counters* workers[] = {&a, &b};
  EXPECT_EQ(
      counters_json(workers),
      R"({"received":3,"returned":0,"dropped":0,"injected":0,"injections_refused":0,"hinted":0,)"
      R"("hints_refused":0,"hints_dropped":0,"segmented":0,"send_failed":0,"receive_failed":0,"receive_overflow":0,"refused":{"geneve_version":1}})");
}

}  // namespace
}  // namespace sluice::sdk
