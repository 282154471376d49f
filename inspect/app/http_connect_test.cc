// SPDX-License-Identifier: Apache-2.0
// What is seen behind CONNECT, by the session that asks all protocols.
#include "inspect/app/http_for_test.h"
#include "inspect/app/session.h"

namespace sluice::inspect {
namespace {

using Texts = std::vector<std::string>;
constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;

class ConnectTest : public ::testing::Test {
 protected:
  void feed(Direction direction, std::string_view text, size_t piece = SIZE_MAX) {
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
      session_->feed(direction, bytes_of(std::string(text.substr(0, piece))), sink_);
  }
  void begin() {
    session_ = std::make_unique<AppSession>(true, 80);
    sink_ = RecordingSink();
  }
  Texts all(std::string_view name) const { return sink_.get_all(Recorded::kBuffer, name); }

  RecordingSink sink_;
  std::unique_ptr<AppSession> session_;
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

}  // namespace
}  // namespace sluice::inspect
