// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "inspect/app/parser.h"
#include "inspect/app/recording_sink_for_test.h"
#include "inspect/app/ssh_transaction.h"
#include "inspect/tls/ja3.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;
using Texts = std::vector<std::string>;

std::string be32(size_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string packet(uint8_t type, const std::string& body) {
  return be32(body.size() + 2 + 4) + '\4' + static_cast<char>(type) + body + "pad.";
}

std::string key_exchange() {
  std::string body(16, 'c');
  for (const std::string name : {"kex1,kex2", "host", "cipher-up", "cipher-down", "mac-up",
                                 "mac-down", "none,up", "none,down", "", ""})
    body += be32(name.size()) + name;
  return packet(20, body + std::string(5, '\0'));
}

class SshTest : public ::testing::Test {
 protected:
  Parsed up(std::string_view bytes) { return parser_->feed(kUp, bytes_of(bytes), sink_); }
  Parsed down(std::string_view bytes) { return parser_->feed(kDown, bytes_of(bytes), sink_); }
  void end() {
    parser_->end(kUp, sink_);
    parser_->end(kDown, sink_);
  }
  void again() {
    parser_ = ssh_entry().make();
    sink_ = RecordingSink();
  }

  const std::string client_ = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" + key_exchange();
  const std::string server_ =
      "Keep out.\r\nSSH-1.99-server\n" + packet(2, "ignored") + key_exchange();
  std::unique_ptr<Parser> parser_ = ssh_entry().make();
  RecordingSink sink_;
};

TEST_F(SshTest, BannersAndAlgorithms) {
  EXPECT_EQ(up(client_), Parsed::kMore);
  EXPECT_EQ(down(server_ + "sealed"), Parsed::kDone);
  const std::string up_text = "kex1,kex2;cipher-up;mac-up;none,up";
  const std::string down_text = "kex1,kex2;cipher-down;mac-down;none,down";
  EXPECT_EQ(sink_.get(0, kUp, "ssh.proto"), "2.0");
  EXPECT_EQ(sink_.get(0, kUp, "ssh.software"), "OpenSSH_9.2p1");
  EXPECT_EQ(sink_.get(0, kUp, "ssh.hassh.string"), up_text);
  EXPECT_EQ(sink_.get(0, kUp, "ssh.hassh"), tls::md5_text(up_text));
  EXPECT_EQ(sink_.get(0, kDown, "ssh.proto"), "1.99");
  EXPECT_EQ(sink_.get(0, kDown, "ssh.software"), "server");
  EXPECT_EQ(sink_.get(0, kDown, "ssh.hassh.server.string"), down_text);
  EXPECT_EQ(sink_.get(0, kDown, "ssh.hassh.server"), tls::md5_text(down_text));
  EXPECT_EQ(sink_.get_all(Recorded::kEnded),
            Texts{R"({"ssh":{"client":{"proto_version":"2.0","software_version":"OpenSSH_9.2p1",)"
                  R"("hassh":{"hash":")" +
                  tls::md5_text(up_text) + R"(","string":")" + up_text +
                  R"("}},"server":{"proto_version":"1.99","software_version":"server",)"
                  R"("hassh":{"hash":")" +
                  tls::md5_text(down_text) + R"(","string":")" + down_text + R"("}}}})"});
  EXPECT_TRUE(sink_.events().empty());
}

TEST_F(SshTest, CutAtEveryByteItTellsTheSame) {
  up(client_);
  down(server_);
  const std::string whole = sink_.str();
  for (size_t cut = 1; cut < std::max(client_.size(), server_.size()); cut++) {
    again();
    for (const auto& [direction, bytes] : {std::pair(kUp, client_), std::pair(kDown, server_)}) {
      parser_->feed(direction, bytes_of(bytes).first(std::min(cut, bytes.size())), sink_);
      if (cut < bytes.size()) parser_->feed(direction, bytes_of(bytes).subspan(cut), sink_);
    }
    ASSERT_EQ(sink_.str(), whole) << cut;
  }
}

TEST_F(SshTest, AnOldVersionHasNoSuchExchange) {
  EXPECT_EQ(up("SSH-1.5-old\n"), Parsed::kMore);
  EXPECT_EQ(down("SSH-1.5-old\nanything"), Parsed::kDone);
  EXPECT_TRUE(sink_.events().empty());
}

TEST_F(SshTest, WhatIsBrokenIsAnEvent) {
  const std::string banner = "SSH-2.0-x\r\n";
  std::string broken = key_exchange();
  broken[22] = '\x7f';  // the first list's length
  std::string greeting;
  for (size_t i = 0; i < 65; i++) greeting += "line\n";
  const struct {
    const char* name;
    std::string bytes;
    Texts events;
    Direction direction;
    Parsed parsed;
  } cases[] = {
      {"no software", "SSH-2.0\r\n", {"invalid_banner"}, kUp, Parsed::kFailed},
      {"no version", "SSH--x\r\n", {"invalid_banner"}, kUp, Parsed::kFailed},
      {"no banner of a client", "hello\r\n", {"invalid_banner"}, kUp, Parsed::kFailed},
      {"a long banner",
       "SSH-2.0-" + std::string(300, 'x') + "\r\n",
       {"long_banner"},
       kUp,
       Parsed::kMore},
      {"a greeting without an end", greeting, {"invalid_banner"}, kDown, Parsed::kFailed},
      {"a packet of one byte", banner + be32(1) + "xx", {"invalid_record"}, kUp, Parsed::kFailed},
      {"a huge packet", banner + be32(0xffffffff) + "xx", {"invalid_record"}, kUp, Parsed::kFailed},
      {"lists beyond the end", banner + broken, {"invalid_record"}, kUp, Parsed::kFailed},
  };
  for (const auto& c : cases) {
    again();
    EXPECT_EQ(parser_->feed(c.direction, bytes_of(c.bytes), sink_), c.parsed) << c.name;
    EXPECT_EQ(sink_.events(), c.events) << c.name;
    end();
    EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1u) << c.name;
  }
}

TEST_F(SshTest, EndsWithTheFlowAndWithAGap) {
  up(client_);
  end();
  EXPECT_EQ(sink_.get_all(Recorded::kFinished).size(), 2u);
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1u);
  again();
  up(client_);
  EXPECT_EQ(parser_->gap(kUp, 1, sink_), Parsed::kFailed);
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1u);
}

TEST(SshProbe, ByContent) {
  EXPECT_EQ(ssh_entry().probe(kUp, bytes_of("SSH-2.0"), 0), Probe::kYes);
  EXPECT_EQ(ssh_entry().probe(kDown, bytes_of("SS"), 22), Probe::kMore);
  EXPECT_EQ(ssh_entry().probe(kDown, bytes_of("SSL"), 22), Probe::kMore);
  EXPECT_EQ(ssh_entry().probe(kUp, bytes_of("SSL"), 22), Probe::kNo);
  EXPECT_EQ(ssh_entry().probe(kUp, bytes_of("hello\nSSH-2.0"), 22), Probe::kNo);
  EXPECT_EQ(ssh_entry().probe(kDown, bytes_of("hello\nSSH-2.0"), 22), Probe::kYes);
  EXPECT_EQ(ssh_entry().probe(kDown, bytes_of("hello\nS\1"), 22), Probe::kNo);
  std::string lines;
  for (size_t i = 0; i < 65; i++) lines += "x\n";
  EXPECT_EQ(ssh_entry().probe(kDown, bytes_of(lines + "SSH-2.0"), 22), Probe::kNo);
}

}  // namespace
}  // namespace sluice::inspect
