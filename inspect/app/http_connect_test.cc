// SPDX-License-Identifier: Apache-2.0
// What is seen behind CONNECT and Upgrade, by the session that asks all protocols.
#include "inspect/app/app_session_for_test.h"
#include "inspect/app/http_for_test.h"

namespace sluice::inspect {
namespace {

using Texts = std::vector<std::string>;
constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;

class ConnectTest : public AppSessionTest {
 protected:
  void begin() { again(true, 80); }
};

// An origin takes CONNECT for any other request, and goes on in HTTP.
TEST_F(ConnectTest, BehindAConnectThatAnOriginAnswers) {
  const std::string connect = "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string request = "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string answer = "HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n";
  for (const std::string agreed :
       {"Content-Length: 0\r\n\r\n", "\r\n", "Content-Length: 2\r\n\r\nok",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"}) {
    for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
      for (const bool at_once : {false, true}) {
        begin();
        for (int i = 0; i < 6; i++) {
          Texts uris, codes;
          const auto say = [&](Direction direction, const std::string& text) {
            sink_ = RecordingSink();  // transactions behind CONNECT begin with 0 again
            feed(direction, text, piece);
            for (const std::string& uri : all("http.uri")) uris.push_back(uri);
            for (const std::string& code : all("http.stat_code")) codes.push_back(code);
          };
          say(kUp, connect + (at_once ? request : ""));
          say(kDown, "HTTP/1.1 200 OK\r\n" + agreed);
          if (!at_once) say(kUp, request);
          say(kDown, answer);
          EXPECT_EQ(uris, (Texts{"h:1", "/attack"})) << agreed << piece << at_once;
          EXPECT_EQ(codes, (Texts{"200", "202"})) << agreed << piece << at_once;
        }
      }
    }
  }
}

// What of the answer nobody announced says nothing of the client.
TEST_F(ConnectTest, BehindAConnectEachDirectionTellsForItself) {
  const std::string connect = "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
    begin();
    feed(kUp, connect, piece);
    feed(kDown, "HTTP/1.1 200 OK\r\n\r\nwelcome!", piece);
    EXPECT_FALSE(session_->finished());
    sink_ = RecordingSink();
    feed(kUp, "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n", piece);
    EXPECT_EQ(all("http.uri").back(), "/attack");
  }
  for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
    begin();
    feed(kUp, connect);
    feed(kDown, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbad");
    feed(kUp, "SSH-2.0-evil\r\n", piece);
    EXPECT_EQ(session_->protocol(), AppProtocol::kSsh);
    EXPECT_EQ(all("ssh.software"), Texts{"evil"});
  }
}

const std::string kWebSocket =
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const std::string kSwitching = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n";
// Masked, of a client; then of a server, which begins before it was asked.
const std::string kAsks("\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e", 11);
const std::string kSays("\x81\x05hello\x82\x7e\x01\x00", 11);

TEST_F(ConnectTest, FramesOfAWebSocketAreNoError) {
  for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
    for (const bool server_first : {false, true}) {
      begin();
      feed(kUp, kWebSocket, piece);
      feed(kDown, kSwitching + (server_first ? kSays : ""), piece);
      const size_t before = session_->memory();
      EXPECT_FALSE(session_->finished());
      for (int i = 0; i < 4; i++) feed(kUp, kAsks, piece);
      for (int i = 0; i < 1000; i++) feed(kDown, kSays, piece);
      EXPECT_TRUE(session_->finished());
      EXPECT_FALSE(session_->failed());
      EXPECT_LE(session_->memory(), before) << "nothing is kept";
      EXPECT_EQ(session_->protocol(), AppProtocol::kHttp1);
      EXPECT_EQ(sink_.events(), Texts{});
      EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1U);
    }
  }
}

TEST_F(ConnectTest, HttpBehindAWebSocketIsSeen) {
  const std::string request = "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string answer = "HTTP/1.1 202 A\r\nContent-Length: 4\r\n\r\nevil";
  for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
    begin();
    feed(kUp, kWebSocket, piece);
    feed(kDown, kSwitching, piece);
    sink_ = RecordingSink();  // transactions behind it begin with 0 again
    feed(kUp, request, piece);
    feed(kDown, answer, piece);
    EXPECT_EQ(all("http.uri"), Texts{"/attack"}) << piece;
    EXPECT_EQ(all("http.stat_code"), Texts{"202"}) << piece;
    EXPECT_EQ(all("file.data"), Texts{"evil"}) << piece;
    EXPECT_EQ(sink_.events(), Texts{}) << piece;

    begin();
    feed(kUp, kWebSocket + request, piece);
    EXPECT_EQ(all("http.uri").back(), "/attack") << piece;
    feed(kDown, kSwitching, piece);
    sink_ = RecordingSink();
    feed(kDown, answer, piece);
    EXPECT_EQ(all("http.stat_code").back(), "202") << piece;
    EXPECT_EQ(all("file.data"), Texts{"evil"}) << piece;

    // Frames of one direction hide nothing of the other.
    begin();
    feed(kUp, kWebSocket, piece);
    feed(kDown, kSwitching + kSays + kSays + kSays, piece);
    sink_ = RecordingSink();
    feed(kUp, request, piece);
    EXPECT_EQ(all("http.uri"), Texts{"/attack"}) << piece;
    begin();
    feed(kUp, kWebSocket, piece);
    feed(kDown, kSwitching, piece);
    sink_ = RecordingSink();
    feed(kUp, kAsks + kAsks + kAsks, piece);
    feed(kDown, answer, piece);
    EXPECT_EQ(all("file.data"), Texts{"evil"}) << piece;
  }
}

}  // namespace
}  // namespace sluice::inspect
