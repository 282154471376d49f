// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/web_traffic.h"

#include <algorithm>
#include <string>

#include "inspect/tls/hello_for_test.h"
#include "testbed/bench/tcp_talk.h"
#include "tunnels/geneve.h"

namespace sluice::testbed {

namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using tunnels::kTcpAck;
using tunnels::kTcpFin;
using namespace tunnels;  // the profile and its constants

constexpr const char* kSites[] = {"www.example.org",   "www.youtube.com", "intranet.example",
                                  "www.wikipedia.org", "www.debian.org",  "updates.example"};

std::string hello_for(const std::string& site) {
  using inspect::tls::testing::HelloParts;
  HelloParts parts;
  parts.ciphers = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013};
  parts.server_name(site).add(0x17).add(0xff01, std::string(1, '\0')).add(0x23);
  parts.alpn({"h2", "http/1.1"}).signature_algorithms({0x0403, 0x0804, 0x0401, 0x0503});
  parts.supported_versions({0x0304, 0x0303}).add(0x33, std::string(42, 'k'));
  parts.add(0x15, std::string(200, '\0'));
  return inspect::tls::testing::records(parts.message());
}

std::string server_hello() {
  std::string body("\x03\x03", 2);
  body += std::string(32, 'R') + '\x20' + std::string(32, 's') + std::string("\x13\x01\x00", 3);
  const std::string extensions("\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x04\x00\x1d\x00\x00", 14);
  body += inspect::tls::testing::with_length16(extensions);
  const std::string message =
      std::string("\x02\x00", 2) + inspect::tls::testing::with_length16(body);
  return inspect::tls::testing::records(message) + std::string("\x17\x03\x03\x04\x00", 5) +
         std::string(1024, 'e');
}

std::vector<Bytes> tcp_flow(const Ends& ends, const std::string& request, const std::string& answer,
                            uint32_t packets) {
  TcpTalk flow(ends);
  flow.up(kTcpAck, request);
  flow.down(kTcpAck, answer);
  while (flow.size() + 3 < packets)
    flow.size() % 3 == 0 ? flow.up(kTcpAck) : flow.down(kTcpAck, std::string(1200, 'd'));
  flow.down(kTcpFin | kTcpAck);
  flow.up(kTcpFin | kTcpAck);
  flow.down(kTcpAck);
  return flow.take();
}

std::vector<Bytes> dns_flow(Ends ends) {
  ends.destination_port = 53;
  const std::string question(
      "\x03www\x07"
      "example\x03org\x00\x00\x01\x00\x01",
      21);
  const std::string query("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  const std::string answer("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", 12);
  const std::string record("\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\x0a\x00\x00\x07", 16);
  return {inspect::testing::udp(ends, query + question),
          inspect::testing::udp(ends.turned(), answer + question + record)};
}

std::vector<Bytes> flow_of(uint32_t number, uint32_t packets) {
  const std::string client = client_address(number);
  const std::string site = kSites[number % std::size(kSites)];
  const auto port = static_cast<uint16_t>(20000 + number % 40000);
  const unsigned kind = number % 10;
  if (kind == 9) return dns_flow({client, "10.255.0.1", port, 53});
  if (kind < 6)
    return tcp_flow({client, "10.255.0.2", port, 443}, hello_for(site), server_hello(), packets);
  const std::string request =
      "GET /index.html HTTP/1.1\r\nHost: " + site + "\r\nUser-Agent: Mozilla/5.0\r\n\r\n";
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 60000\r\n\r\n";
  return tcp_flow({client, "10.255.0.3", port, 80}, request, answer + std::string(1000, 'h'),
                  packets);
}

Datagram in_geneve(const Bytes& ip, uint32_t flow) {
  constexpr tunnels::geneve_profile kProfile = SLUICE_GENEVE_AWS;
  tunnels::geneve header{};
  header.endpoint_id = 0x2b8ee1d4db0c51c4;
  header.flow_cookie = flow;
  header.protocol = tunnels::kEtherTypeIpv4;
  Datagram datagram(kProfile.header_length);
  tunnels::geneve_encode(datagram.data(), &kProfile, &header);
  datagram.insert(datagram.end(), ip.begin(), ip.end());
  return datagram;
}

}  // namespace

std::vector<Datagram> web_traffic(uint32_t flows, uint32_t packets, uint32_t concurrent) {
  std::vector<Datagram> traffic;
  struct Running {
    uint32_t number;
    std::vector<Bytes> packets;
    size_t next = 0;
  };
  std::vector<Running> running;
  uint32_t begun = 0;
  while (begun < flows || !running.empty()) {
    while (begun < flows && running.size() < concurrent) {
      running.push_back({begun, flow_of(begun, packets)});
      begun++;
    }
    for (Running& flow : running)
      traffic.push_back(in_geneve(flow.packets[flow.next++], flow.number));
    std::erase_if(running, [](const Running& flow) { return flow.next == flow.packets.size(); });
  }
  return traffic;
}

}  // namespace sluice::testbed
