// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

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
    log += name_;
    log += direction == kUp ? '>' : '<';
    log.append(piece.begin(), piece.end());
    log += ' ';
    if (std::find(piece.begin(), piece.end(), '!') != piece.end()) return Parsed::kChange;
    if (std::find(piece.begin(), piece.end(), '#') != piece.end()) return Parsed::kDone;
    return Parsed::kMore;
  }
  Parsed gap(Direction, uint64_t length, TransactionSink&) override {
    log += std::string("gap") + std::to_string(length) + " ";
    return Parsed::kMore;
  }
  void end(Direction direction, TransactionSink&) override {
    log += direction == kUp ? "end> " : "end< ";
  }
  AppProtocol next_protocol() const override { return next; }
  static inline AppProtocol next = AppProtocol::kUnknown;

 private:
  const char name_;
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

TEST_F(SessionTest, ChangesAreBounded) {
  Echo::next = AppProtocol::kTls;
  feed(kUp, "GET !");
  for (int i = 0; i < 10; i++) feed(kUp, "!");
  EXPECT_TRUE(session_.finished());
  EXPECT_EQ(std::count(log.begin(), log.end(), '!'), kProtocolChangesMax + 1);
}

TEST_F(SessionTest, AfterTheEncryptionBeginsNothingIsParsed) {
  feed(kUp, "TLS");
  feed(kUp, "#");
  EXPECT_TRUE(session_.finished());
  EXPECT_EQ(session_.protocol(), AppProtocol::kTls);
  feed(kUp, "secret");
  EXPECT_EQ(log, "t>TLS t># end> end< ");
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

}  // namespace
}  // namespace sluice::inspect
