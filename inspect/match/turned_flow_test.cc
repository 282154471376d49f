// SPDX-License-Identifier: Apache-2.0
// Flows whose beginning was not seen, in which it was the other end that is the client; and decoys
// that would have it so.
#include <set>

#include "inspect/app/dns_for_test.h"
#include "inspect/app/tls_handshake_for_test.h"
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

constexpr const char* kRules =
    "alert tcp any any -> any any (flow:to_server; content:\"attack\"; sid:1;)\n"
    "drop http any any -> any any (http.uri; content:\"/attack\"; startswith; sid:2;)\n"
    "alert tcp any any -> any any (flow:to_client; content:\"answer\"; sid:3;)\n"
    "alert http any any -> any any (flow:to_client; file.data; content:\"answer\"; sid:4;)\n"
    "alert tcp any any -> any any (content:\"e\"; sid:5; noalert; flowbits:set,seen;)\n";
constexpr std::string_view kEvil = "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer";
constexpr std::string_view kDecoy = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kHarmless = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

const Ends kLowPort{"10.0.0.1", "10.0.0.2", 80, 8080};
const Ends kHighPorts{"10.0.0.1", "10.0.0.2", 40000, 8080};
const Ends kLowPorts{"10.0.0.1", "10.0.0.2", 80, 443};
const Ends kWeb{"10.0.0.1", "10.0.0.2", 40000, 80};
const Ends kAll[] = {kLowPort, kHighPorts, kLowPorts, kWeb};
// Where ports do not say that it is the server.
const Ends kUnsuspected[] = {kHighPorts, kLowPorts, kWeb};

std::set<int> sids(const Harness& h) {
  const auto all = h.alerts();
  return {all.begin(), all.end()};
}

uint64_t turned(Harness& h) { return h.inspector().counters().turned_flows; }

// The server says so, or the client pretends that it does.
bool server_says(Harness& h, const Ends& client, std::string_view text, uint32_t taken = 0,
                 uint32_t at = 0) {
  return h.send(tcp(client.turned(), kAck, 5001 + at, 1001 + taken, text));
}

nlohmann::json last_of(const Harness& h, const char* type) {
  nlohmann::json last;
  for (const auto& event : h.events())
    if (event.at("event_type") == type) last = event;
  return last;
}

// What the network or an attacker may do to the request, in a connection met in its middle.
using Sending = bool (*)(Harness&, const Ends&);
const Sending kSendings[] = {
    [](Harness& h, const Ends& c) { return h.data(c, 0, kEvil); },
    [](Harness& h, const Ends& c) {
      for (uint32_t at = 0; at < kEvil.size(); at++)
        if (!h.data(c, at, kEvil.substr(at, 1))) return false;
      return true;
    },
    [](Harness& h, const Ends& c) { return h.data(c, 500, kDecoy) && h.data(c, 0, kEvil); },
    [](Harness& h, const Ends& c) {
      server_says(h, c, "");
      return h.data(c, uint32_t(-100), "x") && h.data(c, 0, kEvil);
    },
    [](Harness& h, const Ends& c) {
      server_says(h, c, "");
      h.send(tcp(c, kSyn | kAck, 1000, 5001));
      return h.data(c, 0, kEvil);
    },
    [](Harness& h, const Ends& c) {
      h.send(tcp(c, kSyn | kAck, 1000, 5001));
      return h.data(c, 0, kEvil);
    },
};

// --- honest ends ---

TEST(TurnedFlow, WhoAsksIsTheClientWhateverThePorts) {
  for (const Ends& ends : kAll) {
    for (const std::string_view first :
         {std::string_view{}, std::string_view{"the rest of something"}, kDecoy}) {
      Harness h(kRules);
      const uint32_t said = static_cast<uint32_t>(first.size());
      if (!first.empty()) server_says(h, ends, first);
      EXPECT_TRUE(h.data(ends, 0, kHarmless));
      server_says(h, ends, kAnswer, static_cast<uint32_t>(kHarmless.size()), said);
      const bool from_server = ends.source_port == kHighPorts.source_port &&
                               ends.destination_port == kHighPorts.destination_port &&
                               !first.empty();
      const bool wrong = from_server || ends.source_port == kLowPort.source_port;
      const bool low_first = ends.destination_port == kLowPorts.destination_port && first.empty();
      EXPECT_EQ(turned(h), wrong && !low_first) << ends.source_port << " " << first;
      EXPECT_TRUE(sids(h).contains(3) && sids(h).contains(4)) << ends.source_port << " " << first;
      const auto alert = last_of(h, "alert");
      EXPECT_EQ(alert.at("direction"), "to_client");
      EXPECT_EQ(alert.at("flow").at("src_port"), ends.source_port);
      EXPECT_EQ(alert.at("flow").at("pkts_toserver"), 1);
      EXPECT_EQ(alert.at("app_proto"), "http");
      EXPECT_EQ(h.inspector().flows(), 1u);
      const auto http = last_of(h, "http");
      EXPECT_EQ(http.at("src_port"), ends.source_port);
      EXPECT_GT(h.inspector().sessions_held(), sizeof(TcpInspection)) << "both readings count";
      h.inspector().finish(1);
      EXPECT_EQ(h.inspector().sessions_held(), 0u);
      EXPECT_EQ(h.inspector().app_held(), 0u);
      EXPECT_EQ(h.inspector().held(), 0u);
    }
  }
}

TEST(TurnedFlow, AnAnswerIsTheServersWhoeverIsHeardFirst) {
  const testing::Handshake handshake({});
  std::string server_hello;
  for (const Flight& flight : handshake.flights) {
    if (flight.direction == Direction::kToClient && server_hello.empty())
      server_hello = flight.bytes;
  }
  const std::pair<std::string, const char*> answers[] = {
      {std::string(kAnswer), "http"},
      {server_hello, "tls"},
      {"220 mail.example ESMTP\r\n", "smtp"},
      {"220 FTP ready\r\n", "ftp"},
      {over_tcp(dns_answer("a.example")), "dns"},
  };
  for (const auto& [answer, protocol] : answers) {
    for (const bool tiny : {false, true}) {
      Harness h("");
      for (uint32_t at = 0; tiny && at < answer.size(); at++)
        server_says(h, kHighPorts, answer.substr(at, 1), 0, at);
      if (!tiny) server_says(h, kHighPorts, answer);
      EXPECT_EQ(turned(h), 1u) << protocol;
    }
  }
}

TEST(TurnedFlow, WhatBothEndsSayFirstTurnsNothing) {
  Harness h("");
  server_says(h, kHighPorts, "SSH-2.0-server\r\n");
  h.data(kHighPorts, 0, "SSH-2.0-client\r\n");
  EXPECT_EQ(turned(h), 0u);
  EXPECT_EQ(h.inspector().counters().app(AppProtocol::kSsh, true).flows, 1u);
}

TEST(TurnedFlow, ARequestOfAClientAtAPortOfServersIsFound) {
  for (const Ends& ends : kAll) {
    for (const Sending& send : kSendings) {
      Harness h(kRules);
      EXPECT_FALSE(send(h, ends)) << ends.source_port << " " << &send - kSendings;
      EXPECT_EQ(sids(h), (std::set{1, 2})) << ends.source_port << " " << &send - kSendings;
    }
  }
}

// The client is thought to be the server until that answers.
TEST(TurnedFlow, WhatWasSaidBeforeIsSearchedAgain) {
  Harness h("drop tcp any any -> any any (flow:to_server; content:\"attack\"; sid:1;)");
  server_says(h, kHighPorts, "");
  EXPECT_TRUE(h.data(kHighPorts, 0, "an attack"));
  EXPECT_TRUE(server_says(h, kHighPorts, "HTTP/1.1 400 Bad Request\r\n\r\n", 9));
  EXPECT_EQ(turned(h), 1u);
  EXPECT_FALSE(h.send(tcp(kHighPorts, kAck, 1010, 5030)));
  EXPECT_EQ(h.alerts(), Sids{1});
  EXPECT_EQ(last_of(h, "alert").at("direction"), "to_server");
}

TEST(TurnedFlow, FlowbitsOutliveTheTurn) {
  Harness h(
      "alert tcp any any -> any any (content:\"mark\"; flowbits:set,m; noalert; sid:1;)\n"
      "alert http any any -> any any (flow:to_server; http.uri; content:\"x\"; flowbits:isset,m; "
      "sid:2;)\n"
      "alert tcp any any -> any any (content:\"mark\"; sid:3;)\n");
  server_says(h, kHighPorts, "mark");
  h.data(kHighPorts, 0, "GET /x HTTP/1.1\r\n\r\n");
  EXPECT_EQ(turned(h), 1u);
  server_says(h, kHighPorts, "", 0, 4);
  EXPECT_EQ(h.alerts(), (Sids{3, 2})) << "what asks for no direction holds once";
}

// --- ends that would hide something ---

// With a short TTL, and addresses that are not the sender's.
TEST(TurnedFlow, ADecoyOfTheServerHidesNoRequest) {
  for (const Ends& ends : kAll) {
    for (const Sending& send : kSendings) {
      Harness h(kRules);
      server_says(h, ends, kHarmless);
      EXPECT_FALSE(send(h, ends)) << ends.source_port << " " << &send - kSendings;
      EXPECT_EQ(sids(h), (std::set{1, 2})) << ends.source_port << " " << &send - kSendings;
    }
  }
}

TEST(TurnedFlow, ADecoyOfTheServerAmidARequestHidesNothing) {
  for (const Ends& ends : kAll) {
    for (uint32_t cut = 1; cut < kEvil.size(); cut++) {
      Harness h(kRules);
      h.data(ends, 0, kEvil.substr(0, cut));
      server_says(h, ends, kHarmless);
      h.data(ends, cut, kEvil.substr(cut));
      EXPECT_EQ(sids(h), (std::set{1, 2})) << ends.source_port << " " << cut;
    }
  }
}

// The end of a message, behind which its sender says what only rules for the server find; also
// where it looks like an answer.
TEST(TurnedFlow, NoDecoyHidesAnythingFromRulesAboutBytes) {
  const std::string_view junk = "the rest of a body, and an ";
  for (const Ends& ends : kUnsuspected) {
    for (const std::string_view before : {junk, kDecoy}) {
      for (const bool first : {false, true}) {
        if (first && ends.destination_port != 80) continue;  // nothing else says who the client is
        Harness h(kRules);
        if (first) server_says(h, ends, kHarmless);
        EXPECT_TRUE(h.data(ends, 0, before));
        if (!first) server_says(h, ends, kHarmless);
        h.data(ends, static_cast<uint32_t>(before.size()), "attack");
        EXPECT_TRUE(sids(h).contains(1)) << ends.destination_port << " " << before;
      }
    }
  }
}

TEST(TurnedFlow, AnAnswerBeforeItHidesNoRequest) {
  for (const Ends& ends : kUnsuspected) {
    Harness h(kRules);
    h.data(ends, 0, kDecoy);
    EXPECT_EQ(turned(h), 1u);
    h.data(ends, static_cast<uint32_t>(kDecoy.size()), kEvil);
    EXPECT_EQ(sids(h), std::set{1}) << ends.destination_port;
  }
}

TEST(TurnedFlow, AConnectionWhoseHandshakeWasSeenIsNeverTurned) {
  for (const Ends& ends : kAll) {
    Harness h(kRules);
    h.connect(ends);
    server_says(h, ends, kHarmless);
    EXPECT_TRUE(h.data(ends, 0, kDecoy));
    h.data(ends, static_cast<uint32_t>(kDecoy.size()), "attack");
    EXPECT_EQ(sids(h), std::set{1});
    EXPECT_EQ(turned(h), 0u);
  }
}

TEST(TurnedFlow, NothingPassesBecauseOfADecoy) {
  const std::string rules =
      std::string(kRules) +
      "pass http any any -> any any (http.host; content:\"good\"; sid:10;)\n"
      "alert http any any -> any any (http.host; content:\"good\"; bypass; sid:11;)\n";
  Harness h(rules);
  server_says(h, kWeb, "GET / HTTP/1.1\r\nHost: good\r\n\r\n");
  EXPECT_EQ(turned(h), 1u);
  EXPECT_FALSE(h.data(kWeb, 0, kEvil));
  EXPECT_EQ(sids(h), (std::set{1, 2}));
}

TEST(TurnedFlow, NothingIsEncryptedBecauseOfADecoy) {
  Harness h(kRules);
  uint32_t client = 0, server = 0;
  for (const Flight& flight : testing::Handshake({}).flights) {
    const auto size = static_cast<uint32_t>(flight.bytes.size());
    if (flight.direction == Direction::kToClient) {
      h.data(kWeb, std::exchange(client, client + size), flight.bytes);
    } else {
      server_says(h, kWeb, flight.bytes, client, std::exchange(server, server + size));
    }
  }
  EXPECT_EQ(turned(h), 1u);
  EXPECT_EQ(h.inspector().counters().encrypted_flows, 0u);
  h.data(kWeb, client, "attack");
  h.data(kWeb, client + 6, "attack");
  EXPECT_EQ(sids(h), std::set{1});
}

// Where there is no memory for the parser of the second reading, the policy decides as for any.
TEST(TurnedFlow, AParserWithoutMemoryIsAnException) {
  for (const Ends& ends : {kLowPort, kHighPorts}) {
    InspectorOptions options;
    options.app_flow_memory_max = 100'000;
    options.exceptions.choose(ExceptionCause::kAppMemory, ExceptionPolicy::kDropFlow);
    Harness h(kRules, options);
    server_says(h, ends, "");
    uint32_t at = 0;
    const auto send = [&](const std::string& text) {
      const bool passes = h.data(ends, at, text);
      at += static_cast<uint32_t>(text.size());
      return passes;
    };
    EXPECT_TRUE(send("GET / HTTP/1.1\r\n"));
    EXPECT_EQ(turned(h), 1u);
    while (at < 200'000 && send("Name: " + std::string(1000, 'v') + "\r\n")) continue;
    EXPECT_LT(at, 200'000u);
    EXPECT_EQ(h.drops(), std::vector<std::string>{"applayer memcap"});
  }
}

// --- datagrams ---

constexpr const char* kDatagramRules =
    "drop dns any any -> any any (dns.queries.rrname; content:\"evil\"; sid:1;)\n"
    "drop udp any any -> any any (flow:to_server; content:\"attack\"; sid:2;)\n"
    "alert dns any any -> any any (flow:to_client; content:\"soft\"; sid:3;)\n";

TEST(TurnedFlow, AnAnswerOfDnsThatComesFirstIsTheServers) {
  for (const uint16_t port : {53, 5300}) {
    const Ends client{"10.0.0.1", "10.0.0.2", 40000, port};
    Harness h(kDatagramRules);
    EXPECT_TRUE(h.send(udp(client.turned(), dns_answer("soft.example"))));
    EXPECT_EQ(h.alerts(), Sids{3});
    const auto alert = last_of(h, "alert");
    EXPECT_EQ(alert.at("direction"), "to_client");
    EXPECT_EQ(alert.at("src_port"), port);
    EXPECT_EQ(alert.at("flow").at("src_port"), 40000);
    EXPECT_EQ(turned(h), 1u);
    EXPECT_FALSE(h.send(udp(client, dns_query("evil.example"))));
    EXPECT_EQ(h.inspector().counters().app(AppProtocol::kDns, false).flows, 1u);
    EXPECT_EQ(h.inspector().counters().app(AppProtocol::kFailed, false).flows, 0u);
  }
}

TEST(TurnedFlow, AnAnswerThatNobodyAskedForHidesNothing) {
  for (const uint16_t port : {53, 5000}) {
    for (const auto& first : {dns_answer("good.example"), dns_query("good.example")}) {
      const Ends client{"10.0.0.1", "10.0.0.2", 53, port};
      for (const auto& evil : {std::string("an attack"), dns_query("evil.example")}) {
        Harness h(kDatagramRules);
        EXPECT_TRUE(h.send(udp(client, first)));
        EXPECT_FALSE(h.send(udp(client, evil))) << port;
      }
    }
  }
}

TEST(TurnedFlow, AQuestionAndItsAnswerTurnNothing) {
  Harness h(kDatagramRules);
  const Ends client{"10.0.0.1", "10.0.0.2", 40000, 53};
  h.send(udp(client, dns_query("soft.example")));
  h.send(udp(client.turned(), dns_answer("soft.example")));
  EXPECT_EQ(turned(h), 0u);
  EXPECT_EQ(h.inspector().sessions_held(), 0u) << "there is no other reading";
}

}  // namespace
}  // namespace sluice::inspect
