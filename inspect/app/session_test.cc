// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "inspect/app/dns_for_test.h"
#include "inspect/app/recording_sink_for_test.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;

// What the made-up parsers were told, in order.
std::string log;

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class Echo : public Parser {
 public:
  explicit Echo(char name) : name_(name) {}
  Parsed feed(Direction direction, std::span<const uint8_t> piece, TransactionSink&) override {
    held_ += piece.size();
    log += name_;
    log += direction == kUp ? '>' : '<';
    log.append(piece.begin(), piece.end());
    log += ' ';
    const auto change = std::find(piece.begin(), piece.end(), '!');
    if (change != piece.end()) {
      rest_.assign(change + 1, piece.end());
      return Parsed::kChange;
    }
    if (std::find(piece.begin(), piece.end(), '#') != piece.end()) return Parsed::kDone;
    return Parsed::kMore;
  }
  Parsed gap(Direction, uint64_t length, TransactionSink&) override {
    log += std::string("gap") + std::to_string(length) + " ";
    return Parsed::kMore;
  }
  size_t memory() const override {
    walks++;
    return sizeof(*this) + held_;
  }
  void end(Direction direction, TransactionSink&) override {
    log += direction == kUp ? "end> " : "end< ";
  }
  AppProtocol next_protocol() const override { return next; }
  std::span<const uint8_t> rest(Direction d) const override {
    return d == kUp ? std::span<const uint8_t>(rest_) : std::span<const uint8_t>();
  }
  static inline AppProtocol next = AppProtocol::kUnknown;
  static inline size_t walks = 0;  // to count its memory

 private:
  const char name_;
  size_t held_ = 0;  // it gives nothing back
  std::vector<uint8_t> rest_;
};

// Spoken by clients that begin with `word`.
Probe begins_with(std::string_view word, Direction direction, std::span<const uint8_t> first) {
  if (direction == kDown) return Probe::kMore;
  const size_t length = std::min(word.size(), first.size());
  if (!std::equal(word.begin(), word.begin() + static_cast<int>(length), first.begin()))
    return Probe::kNo;
  return length == word.size() ? Probe::kYes : Probe::kMore;
}

const ProtocolEntry kProtocols[] = {
    {AppProtocol::kHttp1, true, false,
     [](Direction d, std::span<const uint8_t> b, uint16_t) { return begins_with("GET", d, b); },
     []() -> std::unique_ptr<Parser> { return std::make_unique<Echo>('h'); }},
    {AppProtocol::kTls, true, false,
     [](Direction d, std::span<const uint8_t> b, uint16_t) { return begins_with("TLS", d, b); },
     []() -> std::unique_ptr<Parser> { return std::make_unique<Echo>('t'); }},
};

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log.clear();
    Echo::next = AppProtocol::kUnknown;
  }
  void feed(Direction direction, std::string_view text) {
    session_.feed(direction, bytes(text), sink_);
  }

  RecordingSink sink_;
  AppSession session_{true, 80, kProtocols};
};

TEST_F(SessionTest, TheFirstBytesChooseTheParser) {
  feed(kUp, "GET /");
  feed(kDown, "200");
  EXPECT_EQ(session_.protocol(), AppProtocol::kHttp1);
  EXPECT_EQ(log, "h>GET / h<200 ");
}

TEST_F(SessionTest, WhatCameBeforeTheDecisionIsNotLost) {
  feed(kDown, "hello ");
  feed(kUp, "T");
  feed(kUp, "L");
  EXPECT_EQ(session_.protocol(), AppProtocol::kUnknown);
  feed(kUp, "S x");
  EXPECT_EQ(session_.protocol(), AppProtocol::kTls);
  EXPECT_EQ(log, "t<hello  t>TLS x ");
}

TEST_F(SessionTest, OverTheBudgetItsParserEnds) {
  for (const bool of_one_flow : {true, false}) {
    AppBudget budget;
    (of_one_flow ? budget.flow_max : budget.max) = 50'000;
    {
      AppSession session(true, 80, kProtocols, &budget);
      session.feed(kUp, bytes("GET /"), sink_);
      EXPECT_EQ(budget.used, session.memory());
      log.clear();
      session.feed(kUp, bytes(std::string(25'000, 'x')), sink_);
      EXPECT_FALSE(session.finished());
      EXPECT_GT(budget.used, 25'000u);
      session.feed(kUp, bytes(std::string(25'000, 'x')), sink_);
      EXPECT_TRUE(session.finished() && session.failed() && session.out_of_memory());
      EXPECT_TRUE(log.ends_with(" end> end< ")) << "what was open has been told";
      EXPECT_LT(budget.used, 1000u);
      EXPECT_EQ(session.protocol(), AppProtocol::kHttp1);
    }
    EXPECT_EQ(budget.used, 0u);
  }
}

// A walk over what is open is dear; a tiny segment does not change much.
TEST_F(SessionTest, MemoryIsCountedAgainOnlyWhenItMayHaveChanged) {
  AppBudget budget;
  AppSession session(true, 80, kProtocols, &budget);
  session.feed(kUp, bytes("GET /" + std::string(1 << 20, 'x')), sink_);
  Echo::walks = 0;
  for (int i = 0; i < 5000; i++) session.feed(kUp, bytes("x"), sink_);
  EXPECT_GE(Echo::walks, 4u);
  EXPECT_LE(Echo::walks, 5u);
  EXPECT_LE(session.memory() - budget.used, (1 << 20) / kHeldPerByte);
  session.rest();
  EXPECT_EQ(session.memory(), budget.used);
}

TEST_F(SessionTest, NoneOfOurs) {
  feed(kUp, "SSH");
  EXPECT_EQ(session_.protocol(), AppProtocol::kFailed);
  EXPECT_TRUE(session_.finished());
  feed(kUp, "GET /");
  EXPECT_EQ(log, "");
}

TEST_F(SessionTest, WhoeverOnlyListensDoesNotFillMemory) {
  const std::string much(kProbeBytesMax / 2, 'x');
  for (int i = 0; i < 3; i++) feed(kDown, much);
  EXPECT_TRUE(session_.finished());
  EXPECT_EQ(session_.protocol(), AppProtocol::kFailed);
}

TEST_F(SessionTest, AProtocolMayChangeIntoANamedOrAnUnknownOne) {
  Echo::next = AppProtocol::kTls;
  feed(kUp, "GET !");
  EXPECT_EQ(session_.protocol(), AppProtocol::kTls);
  Echo::next = AppProtocol::kUnknown;
  feed(kUp, "any!");
  feed(kUp, "GET /");
  EXPECT_EQ(session_.protocol(), AppProtocol::kHttp1);
  EXPECT_EQ(log, "h>GET ! end> end< t>any! end> end< h>GET / ");
}

TEST_F(SessionTest, ChangesInWhatComesAtOnceAreBounded) {
  feed(kUp, "GET !");
  const auto changes = [](int count) {
    std::string text;
    for (int i = 0; i < count; i++) text += "GET !";
    return text;
  };
  for (int i = 0; i < 10; i++) feed(kUp, changes(kProtocolChangesMax));
  EXPECT_FALSE(session_.finished());
  feed(kUp, changes(kProtocolChangesMax + 1));
  EXPECT_TRUE(session_.finished() && session_.failed());
  EXPECT_EQ(sink_.events(), std::vector<std::string>{"applayer_proto_detection_skipped"});
}

TEST_F(SessionTest, AfterTheEncryptionBeginsNothingIsParsed) {
  feed(kUp, "TLS");
  feed(kUp, "#");
  EXPECT_TRUE(session_.finished());
  EXPECT_EQ(session_.protocol(), AppProtocol::kTls);
  feed(kUp, "secret");
  EXPECT_EQ(log, "t>TLS t># end> end< ");
}

const ProtocolEntry kOfDatagrams[] = {
    {AppProtocol::kDns, false, true,
     [](Direction d, std::span<const uint8_t> b, uint16_t) {
       return begins_with("DNS", d, b) == Probe::kYes ? Probe::kYes : Probe::kNo;
     },
     []() -> std::unique_ptr<Parser> { return std::make_unique<Echo>('d'); }},
};

TEST_F(SessionTest, EachDatagramIsLookedAtForItself) {
  AppSession session(false, 53, kOfDatagrams);
  session.feed(kUp, bytes("D"), sink_);
  EXPECT_EQ(session.protocol(), AppProtocol::kFailed);
  session.feed(kDown, bytes("DNS"), sink_);
  session.feed(kUp, bytes("DNS?"), sink_);
  session.feed(kDown, bytes("x"), sink_);
  EXPECT_EQ(session.protocol(), AppProtocol::kDns);
  EXPECT_EQ(log, "d>DNS? d<x ");
}

TEST_F(SessionTest, GapsGoToTheParserOrEndTheProbing) {
  feed(kUp, "GET /");
  session_.gap(kUp, 7, sink_);
  EXPECT_EQ(log, "h>GET / gap7 ");
  AppSession other(true, 80, kProtocols);
  other.feed(kUp, bytes("G"), sink_);
  other.gap(kUp, 1, sink_);
  EXPECT_TRUE(other.finished());
}

TEST_F(SessionTest, AServersNoCountsForBoth) {
  feed(kUp, "GE");
  feed(kDown, "x");
  EXPECT_FALSE(session_.finished());  // "x" may still be anything
  AppSession real(true, 80);
  real.feed(kUp, bytes("US"), sink_);
  real.feed(kDown, bytes(std::string(40, '\xff')), sink_);
  EXPECT_FALSE(real.finished());  // but it is no FTP any more
  real.feed(kUp, bytes("ER a\r\n"), sink_);
  EXPECT_TRUE(real.finished());
  EXPECT_EQ(real.protocol(), AppProtocol::kFailed);
}

}  // namespace
}  // namespace sluice::inspect
