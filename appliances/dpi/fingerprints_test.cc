// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/appliance_for_test.h"
#include "inspect/tls/hello_for_test.h"
#include "inspect/tls/ja4.h"

namespace sluice::dpi {
namespace {

using inspect::tls::testing::HelloParts;
using sdk::Answer;

class FingerprintsTest : public ApplianceTest {
 protected:
  FingerprintsTest() {
    parts_.ciphers = {0x1301, 0x1302, 0xc02b, 0xc02f};
    parts_.server_name("www.example.org").alpn({"h2"}).add(0x17).signature_algorithms({0x0403});
    parts_.supported_versions({0x0304, 0x0303});
  }
  std::string ja4() const {
    const std::string message = parts_.message();
    return inspect::tls::ja4(*inspect::tls::read_client_hello(
        {reinterpret_cast<const uint8_t*>(message.data()), message.size()}));
  }
  std::string hello() const { return inspect::tls::testing::records(parts_.message()); }

  HelloParts parts_;
  Ends ends_{"10.0.0.1", "10.0.0.2", 40000, 443};
};

TEST_F(FingerprintsTest, IsInTheFlowsRecord) {
  start("fallback: allow");
  handshake(ends_);
  EXPECT_EQ(request(ends_, hello()), Answer::kReturn);
  appliance_->finish(time_us_);
  const json tls = events("flow").at(0)["ndpi"]["tls"];
  EXPECT_EQ(tls["ja4"], ja4());
  EXPECT_FALSE(tls.contains("encrypted_hello"));
  EXPECT_EQ(appliance_->counters().hellos_read, 1u);
}

TEST_F(FingerprintsTest, AnEncryptedHelloIsNoted) {
  parts_.add(inspect::tls::kExtensionEncryptedHello, "sealed");
  start("fallback: allow");
  handshake(ends_);
  request(ends_, hello());
  appliance_->finish(time_us_);
  EXPECT_EQ(events("flow").at(0)["ndpi"]["tls"]["encrypted_hello"], true);
}

TEST_F(FingerprintsTest, APolicyBlocksByIt) {
  start("rules: [{name: tool, match: {ja4: [" + ja4() + "]}, action: drop}]");
  handshake(ends_);
  EXPECT_EQ(request(ends_, hello()), Answer::kDrop);
  EXPECT_EQ(events("drop").at(0)["verdict"]["rule"], "rule 'tool'");

  parts_.add(0x4469);
  const Ends other{"10.0.0.1", "10.0.0.2", 40001, 443};
  handshake(other);
  EXPECT_EQ(request(other, hello()), Answer::kReturn);
}

// The second half of the hello comes first; it is the packet that completes the hello that is
// blocked.
TEST_F(FingerprintsTest, OfAHelloInTwoSegments) {
  start("rules: [{name: tool, match: {ja4: [" + ja4() + "]}, action: drop}]");
  const std::string bytes = hello();
  handshake(ends_);
  EXPECT_EQ(show(inspect::testing::tcp(ends_, tunnels::kTcpAck, 151, 501, bytes.substr(50))),
            Answer::kReturn);
  EXPECT_EQ(show(inspect::testing::tcp(ends_, tunnels::kTcpAck, 101, 501, bytes.substr(0, 50))),
            Answer::kDrop);
}

TEST_F(FingerprintsTest, AMalformedHelloIsCounted) {
  start("fallback: allow");
  std::string bytes = hello();
  bytes[5 + 4 + 2 + 32] = '\xff';  // the session id's length
  handshake(ends_);
  EXPECT_EQ(request(ends_, bytes), Answer::kReturn);
  EXPECT_EQ(appliance_->counters().hellos_malformed, 1u);
  EXPECT_EQ(appliance_->counters().hellos_read, 0u);
}

}  // namespace
}  // namespace sluice::dpi
