// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/ids_traffic.h"

#include <array>
#include <string>

#include "inspect/tls/hello_for_test.h"
#include "testbed/bench/tcp_talk.h"

namespace sluice::testbed {
namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using tunnels::kTcpAck;
using tunnels::kTcpFin;

constexpr size_t kSegment = 1448;
constexpr size_t kConcurrent = 64;
constexpr size_t kAnswerSizes[] = {4'000, 30'000, 120'000, 600'000};

constexpr const char* kWords[] = {
    "the",         "and",        "<div class=\"",  "\">",      "</div>\n",
    "function",    "return ",    "var ",           "time",     "value",
    "<a href=\"/", "index.html", "</a>",           "width",    "script",
    "https://",    "color:#",    "padding:",       "people",   "server",
    "content",     "image",      "document",       ".js",      "(this)",
    "{\n  ",       "}\n",        "= 0;",           "network",  "public",
    "summary",     "system",     "article",        "<p>",      "</p>\n",
    "with",        "from",       "which",          "data-id=", "null,",
    "length",      "update",     "search?q=news&", "www.",     "example",
    "Monday",      "language",   "en-US"};
constexpr const char* kSites[] = {"www.example.org",  "static.example.com", "api.example.net",
                                  "cdn.shop.example", "login.bank.example", "updates.example"};

// xorshift: fast, and the same everywhere.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  size_t below(size_t n) { return next() % n; }

 private:
  uint64_t state_;
};

std::string text(Numbers& numbers, size_t length) {
  std::string out;
  while (out.size() < length) {
    out += kWords[numbers.below(std::size(kWords))];
    out += ' ';
  }
  out.resize(length);
  return out;
}

std::string noise(Numbers& numbers, size_t length) {
  std::string out(length, '\0');
  for (char& c : out) c = static_cast<char>(numbers.next() >> 32);
  return out;
}

// One connection whose ends say things.
class Talk : private TcpTalk {
 public:
  using TcpTalk::take;
  using TcpTalk::TcpTalk;
  void client_says(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size(); at += kSegment) up(kTcpAck, bytes.substr(at, kSegment));
    down(kTcpAck);
  }
  // With an acknowledgement for every two segments.
  void server_says(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size(); at += kSegment) {
      down(kTcpAck, bytes.substr(at, kSegment));
      if (at / kSegment % 2 == 1 || at + kSegment >= bytes.size()) up(kTcpAck);
    }
  }
  void end() {
    up(kTcpFin | kTcpAck);
    down(kTcpFin | kTcpAck);
    up(kTcpAck);
  }
};

Ends ends_of(uint32_t number, uint16_t port) {
  return {client_address(number), "192.0.2." + std::to_string(number % 200 + 1),
          static_cast<uint16_t>(20000 + number % 40000), port};
}

std::string request(Numbers& numbers, const std::string& site) {
  return "GET /" + std::to_string(numbers.below(100'000)) + "/page" +
         std::to_string(numbers.below(1000)) + ".html?id=" + std::to_string(numbers.next()) +
         " HTTP/1.1\r\nHost: " + site +
         "\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 "
         "Firefox/115.0\r\n"
         "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n"
         "Accept-Encoding: gzip, deflate\r\nReferer: http://" +
         site + "/\r\nCookie: session=" + std::to_string(numbers.next()) +
         "\r\nConnection: keep-alive\r\n\r\n";
}

std::string answer(const std::string& type, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 "
         "GMT\r\nContent-Type: " +
         type + "\r\nConnection: keep-alive\r\nCache-Control: max-age=600\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string hello_for(Numbers& numbers, const std::string& site) {
  using inspect::tls::testing::HelloParts;
  HelloParts parts;
  parts.ciphers = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013};
  parts.server_name(site).add(0x17).add(0xff01, std::string(1, '\0')).add(0x23);
  parts.alpn({"h2", "http/1.1"}).signature_algorithms({0x0403, 0x0804, 0x0401, 0x0503});
  parts.supported_versions({0x0304, 0x0303}).add(0x33, noise(numbers, 42));
  parts.add(0x15, std::string(200, '\0'));
  return inspect::tls::testing::records(parts.message());
}

std::string server_hello(Numbers& numbers) {
  std::string body("\x03\x03", 2);
  body += noise(numbers, 32) + '\x20' + noise(numbers, 32) + std::string("\x13\x01\x00", 3);
  const std::string extensions("\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x04\x00\x1d\x00\x00", 14);
  body += inspect::tls::testing::with_length16(extensions);
  return inspect::tls::testing::records(std::string("\x02\x00", 2) +
                                        inspect::tls::testing::with_length16(body));
}

std::string encrypted(Numbers& numbers, size_t length) {
  std::string out;
  for (size_t at = 0; at < length; at += 16'000) {
    const size_t size = std::min<size_t>(length - at, 16'000);
    out += std::string("\x17\x03\x03", 3) + static_cast<char>(size >> 8) +
           static_cast<char>(size & 255) + noise(numbers, size);
  }
  return out;
}

void shake_hands(Talk& talk, Numbers& numbers, const std::string& site) {
  talk.client_says(hello_for(numbers, site));
  talk.server_says(server_hello(numbers) + encrypted(numbers, 2500));
  talk.client_says(encrypted(numbers, 60));
}

std::vector<Bytes> dns(Numbers& numbers, uint32_t number) {
  const Ends ends = ends_of(number, 53);
  std::string name;
  for (const char* label : {"host", "example", "org"}) {
    const std::string word = label + (*label == 'h' ? std::to_string(numbers.below(5000)) : "");
    name += static_cast<char>(word.size()) + word;
  }
  const std::string question = name + std::string("\x00\x00\x01\x00\x01", 5);
  const std::string query("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  const std::string reply("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", 12);
  const std::string record("\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\x0a\x00\x00\x07", 16);
  return {inspect::testing::udp(ends, query + question),
          inspect::testing::udp(ends.turned(), reply + question + record)};
}

const std::string& site_of(uint32_t number) {
  static const std::array<std::string, std::size(kSites)> kNames = std::to_array<std::string>(
      {kSites[0], kSites[1], kSites[2], kSites[3], kSites[4], kSites[5]});
  return kNames[number % kNames.size()];
}

std::vector<Bytes> web_flow(uint32_t number) {
  Numbers numbers(number);
  const uint32_t kind = number % 10;
  if (kind == 9) return dns(numbers, number);
  const size_t size = kAnswerSizes[number / 10 % std::size(kAnswerSizes)];
  Talk talk(ends_of(number, kind < 5 ? 80 : 443));
  if (kind < 5) {
    for (const bool picture : {false, true, false}) {
      talk.client_says(request(numbers, site_of(number)));
      talk.server_says(picture ? answer("image/jpeg", noise(numbers, size))
                               : answer("text/html", text(numbers, size / 2)));
    }
  } else {
    shake_hands(talk, numbers, site_of(number));
    talk.client_says(encrypted(numbers, 400));
    talk.server_says(encrypted(numbers, size));
  }
  talk.end();
  return talk.take();
}

std::vector<Bytes> small_flow(uint32_t number) {
  Numbers numbers(number);
  const uint32_t kind = number % 10;
  if (kind >= 7) return dns(numbers, number);
  constexpr uint16_t kPorts[] = {80, 80, 80, 80, 443, 443, 9000};
  Talk talk(ends_of(number, kPorts[kind]));
  if (kind >= 4 && kind < 6) shake_hands(talk, numbers, site_of(number));
  for (int i = 0; i < 6; i++) {
    if (kind < 4) {
      talk.client_says(request(numbers, site_of(number)));
      talk.server_says(answer("application/json",
                              "{\"id\":" + std::to_string(numbers.next()) + ",\"state\":\"ok\"}"));
    } else if (kind < 6) {
      talk.client_says(encrypted(numbers, 80 + numbers.below(100)));
      talk.server_says(encrypted(numbers, 100 + numbers.below(200)));
    } else {
      talk.client_says(text(numbers, 20 + numbers.below(40)) + "\n");
      talk.server_says(text(numbers, 40 + numbers.below(80)) + "\n");
    }
  }
  talk.end();
  return talk.take();
}

// Of two ranges of numbers, so that no connection is begun twice.
std::vector<Bytes> imix_flow(uint32_t number) {
  constexpr uint32_t kSmallFrom = 1'000'000, kSmallPerWeb = 39;
  return number % (1 + kSmallPerWeb) == 0 ? web_flow(number / (1 + kSmallPerWeb))
                                          : small_flow(kSmallFrom + number);
}

Corpus interleaved(uint32_t flows, std::vector<Bytes> (*flow_of)(uint32_t)) {
  struct Running {
    std::vector<Bytes> packets;
    size_t next = 0;
  };
  Corpus corpus;
  std::vector<Running> running;
  int64_t time_us = 1'700'000'000'000'000;
  for (uint32_t begun = 0; begun < flows || !running.empty();) {
    while (begun < flows && running.size() < kConcurrent) running.push_back({flow_of(begun++)});
    for (Running& flow : running) corpus.add(flow.packets[flow.next++], time_us += 5);
    std::erase_if(running, [](const Running& flow) { return flow.next == flow.packets.size(); });
  }
  return corpus;
}

}  // namespace

Corpus web_mix(uint32_t flows) { return interleaved(flows, web_flow); }

Corpus small_mix(uint32_t flows) { return interleaved(flows, small_flow); }

Corpus imix(uint32_t flows) { return interleaved(flows, imix_flow); }

Corpus open_flows(OpenFlow kind, uint32_t first, uint32_t flows, int64_t time_us) {
  Corpus corpus;
  for (uint32_t number = first; number < first + flows; number++) {
    Numbers numbers(number);
    Talk talk(ends_of(number, kind == OpenFlow::kTls ? 443 : 80));
    if (kind == OpenFlow::kHttp) {
      talk.client_says(request(numbers, site_of(number)));
      talk.server_says(answer("text/html", text(numbers, 2000)));
    } else if (kind == OpenFlow::kTls) {
      shake_hands(talk, numbers, site_of(number));
    }
    for (const Bytes& packet : talk.take()) corpus.add(packet, ++time_us);
  }
  return corpus;
}

}  // namespace sluice::testbed
