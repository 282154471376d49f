// SPDX-License-Identifier: Apache-2.0
// Traffic by name for tests of rules: a bit of everything that rules can ask about.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "inspect/app/dns_for_test.h"
#include "inspect/app/tls_handshake_for_test.h"
#include "inspect/match/test_harness.h"

namespace sluice::inspect::testing {

// Two ends of a TCP connection that talk in turns.
class Talk {
 public:
  Talk(Harness& harness, uint16_t port)
      : harness_(harness), client_{"10.0.0.1", "10.0.0.2", 40000, port} {
    harness.connect(client_);
  }

  void client(const std::string& text) {
    harness_.send(tcp(client_, kAck, next_[0], next_[1], text));
    next_[0] += static_cast<uint32_t>(text.size());
  }
  void server(const std::string& text) {
    harness_.send(tcp(client_.turned(), kAck, next_[1], next_[0], text));
    next_[1] += static_cast<uint32_t>(text.size());
  }
  void close() {
    harness_.send(tcp(client_, tunnels::kTcpFin | kAck, next_[0], next_[1]));
    harness_.send(tcp(client_.turned(), tunnels::kTcpFin | kAck, next_[1], next_[0] + 1));
  }

 private:
  Harness& harness_;
  const Ends client_;
  uint32_t next_[2] = {1001, 5001};
};

inline void web_traffic(Harness& h) {
  Talk talk(h, 80);
  talk.client(
      "POST /Dir/../index.html?q=a%20b HTTP/1.1\r\nHost: WWW.Example.org:80\r\n"
      "User-Agent: Agent/1.0\r\nReferer: http://from.example/\r\nAccept: text/html\r\n"
      "Accept-Language: de\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n"
      "Cookie: id=7\r\nContent-Type: application/x-www-form-urlencoded\r\n"
      "Content-Length: 9\r\n\r\nname=body");
  talk.server(
      "HTTP/1.1 200 Fine\r\nServer: Engine/2\r\nLocation: /there\r\nSet-Cookie: s=9\r\n"
      "Connection: close\r\nContent-Type: text/plain\r\n"
      "Content-Disposition: attachment; filename=report.exe\r\nContent-Length: 12\r\n\r\n"
      "MZ file data");
  talk.close();
}

inline void dns_traffic(Harness& h) {
  const Ends resolver{"10.0.0.1", "10.0.0.53", 40000, 53};
  h.send(udp(resolver, dns_query("www.example.org")));
  h.send(udp(resolver.turned(),
             dns_header(7, 0x81c0, 1, 1, 1, 1) + dns_question("www.example.org") +
                 dns_record(kDnsTypeA, std::string("\xc0\0\2\1", 4)) +
                 dns_record(2, dns_name("ns.example"), dns_name("zone.example")) +
                 dns_record(kDnsTypeA, std::string("\xc0\0\2\2", 4), dns_name("ns.example"))));
}

inline void tls_traffic(Harness& h) {
  Talk talk(h, 443);
  for (const Flight& flight : Handshake({}).flights)
    flight.direction == Direction::kToServer ? talk.client(flight.bytes)
                                             : talk.server(flight.bytes);
  talk.close();
}

inline std::string ssh_key_exchange() {
  std::string body(16, 'c');
  for (const std::string name : {"kex1,kex2", "host", "cipher-up", "cipher-down", "mac-up",
                                 "mac-down", "none,up", "none,down", "", ""})
    body += be32(name.size()) + name;
  body += std::string(5, '\0');
  return be32(body.size() + 6) + "\4\x14" + body + "pad.";
}

inline void ssh_traffic(Harness& h) {
  Talk talk(h, 22);
  talk.server("SSH-2.0-server\r\n");
  talk.client("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
  talk.client(ssh_key_exchange());
  talk.server(ssh_key_exchange());
}

inline void smtp_traffic(Harness& h) {
  Talk talk(h, 25);
  talk.server("220 mail.example ESMTP\r\n");
  talk.client("EHLO client.example\r\n");
  talk.server("250 mail.example\r\n");
  talk.client("MAIL FROM:<a@example>\r\n");
  talk.server("250 OK\r\n");
  talk.client("RCPT TO:<b@example>\r\nRCPT TO:<c@example>\r\nDATA\r\n");
  talk.server("250 OK\r\n250 OK\r\n354 go on\r\n");
  talk.client("From: a@example\r\nSubject: words\r\n\r\nbody\r\n.\r\n");
  talk.server("250 taken\r\n");
}

inline void ftp_traffic(Harness& h) {
  Talk talk(h, 21);
  talk.server("220 FTP Ready.\r\n");
  talk.client("USER anonymous\r\n");
  talk.server("331 Password?\r\n");
  talk.client("RETR temp.txt\r\n");
  talk.server("150 Opening.\r\n226 Transfer complete.\r\n");
}

// Data elsewhere than to the client, and from the server.
inline void ftp_data_traffic(Harness& h) {
  Talk talk(h, 21);
  talk.server("220 FTP Ready.\r\n");
  talk.client("USER anonymous\r\n");
  talk.server("331 Password?\r\n");
  talk.client("PORT 10,0,0,3,4,1\r\n");
  talk.server("200 Fine.\r\n");
}

inline void ftp_passive_traffic(Harness& h) {
  Talk talk(h, 21);
  talk.server("220 FTP Ready.\r\n");
  talk.client("USER anonymous\r\n");
  talk.server("331 Password?\r\n");
  talk.client("PORT 10,0,0,1,4,1\r\n");
  talk.server("200 Fine.\r\n");
  talk.client("EPSV\r\n");
  talk.server("229 Entering (|||59914|)\r\n");
}

inline void smb_traffic(Harness& h) {
  const std::string message = std::string("\0\0\0\x20\xfeSMB", 8) + std::string(28, '\0');
  Talk talk(h, 445);
  talk.client(message);
  talk.server(message);
}

inline const Ends kOneWay{"10.0.0.1", "10.0.0.9", 5000, 9};

inline void udp_traffic(Harness& h) {
  h.send(udp(kOneWay, std::string("abcd\1\2\3\4....b64:ZXZpbA==", 24)));
}

// A SYN with the options of the maximum segment size and of the window's scale.
inline void syn_traffic(Harness& h) {
  Bytes segment(28);
  tunnels::store_be16(&segment[0], 5000);
  tunnels::store_be16(&segment[2], 80);
  tunnels::store_be32(&segment[4], 77);
  segment[12] = 7 << 4;
  segment[13] = kSyn;
  tunnels::store_be16(&segment[14], 65000);
  segment[20] = 2;
  segment[21] = 4;
  tunnels::store_be16(&segment[22], 1460);
  segment[24] = segment[25] = 3;
  segment[26] = 7;
  Bytes ip = ip_packet(kOneWay, tunnels::kProtocolTcp, segment);
  tunnels::store_u16(&ip[36], transport_checksum(ip, 20, tunnels::kProtocolTcp));
  h.send(ip);
}

// Packets of every kind with a wrong checksum: of TCP, UDP and ICMP, and of the header.
inline void damaged_traffic(Harness& h) {
  for (const bool v4 : {true, false}) {
    const Ends ends = v4 ? kOneWay : Ends{"2001:db8::1", "2001:db8::9", 5000, 9};
    const uint8_t echo = v4 ? 8 : 128;
    for (Bytes ip : {tcp(ends, kSyn, 1, 0), udp(ends, "x"), icmp(ends, echo, 0, "12345678")}) {
      ip[v4 ? 11 : 7] ^= 1;   // the header's checksum; its hop limit, which is in none
      ip[v4 ? 22 : 42] ^= 1;  // a port; the checksum of ICMP
      h.send(ip);
    }
  }
}

// Of eight and three bytes, the second one behind the first.
inline void fragment_traffic(Harness& h) {
  const Bytes whole = udp(kOneWay, "abc");
  h.send(fragment(whole, 0, 8, 7));
  h.send(fragment(whole, 8, 3, 7));
}

// A datagram that records its route.
inline void route_traffic(Harness& h) {
  Bytes ip = udp(kOneWay, "x");
  const Bytes option = {7, 3, 4, 0};
  ip.insert(ip.begin() + 20, option.begin(), option.end());
  ip[0] = 0x46;
  tunnels::store_be16(&ip[2], static_cast<uint16_t>(ip.size()));
  tunnels::store_u16(&ip[10], 0);
  tunnels::store_u16(&ip[10], tunnels::checksum_fold(tunnels::checksum_add(0, ip.data(), 24)));
  h.send(ip);
}

inline void overlap_traffic(Harness& h) {
  h.connect(Ends());
  h.data(Ends(), 0, "abcdef");
  h.data(Ends(), 0, "abcXef");
}

using Traffic = std::function<void(Harness&)>;

inline const std::map<std::string, Traffic>& all_traffic() {
  static const std::string kEcho("\x12\x34\0\1echo", 8);
  static const std::map<std::string, Traffic> kAll = {
      {"web", web_traffic},
      {"smb", smb_traffic},
      {"capitals",
       [](Harness& h) {
         h.connect(Ends());
         h.data(Ends(), 0, "GET /Path/Page.PHP?Q=Ab HTTP/1.1\r\nHost: h\r\n\r\n");
       }},
      {"dns", dns_traffic},
      {"tls", tls_traffic},
      {"ssh", ssh_traffic},
      {"smtp", smtp_traffic},
      {"ftp", ftp_traffic},
      {"ftpdata", ftp_data_traffic},
      {"ftppassive", ftp_passive_traffic},
      {"tlslate",
       [](Harness& h) {
         h.pass_time(int64_t{100} * 365 * 86'400 * 1'000'000);
         tls_traffic(h);
       }},
      {"udp", udp_traffic},
      {"syn", syn_traffic},
      {"route", route_traffic},
      {"fragments", fragment_traffic},
      {"fragments6",
       [](Harness& h) {
         const Bytes whole = udp({"2001:db8::1", "2001:db8::9", 5000, 9}, "abc");
         h.send(fragment(whole, 0, 8, 7));
         h.send(fragment(whole, 8, 3, 7));
       }},
      {"damaged", damaged_traffic},
      {"overlap", overlap_traffic},
      {"truncated",
       [](Harness& h) {
         Bytes ip = udp(kOneWay, "x");
         ip.pop_back();
         h.send(ip);
       }},
      {"ping",
       [](Harness& h) {
         h.send(icmp({"10.0.0.1", "10.0.0.9", 0, 0}, 8, 0, kEcho));
       }},
      {"ping6",
       [](Harness& h) {
         h.send(icmp({"2001:db8::1", "2001:db8::9", 0, 0}, 128, 0, kEcho));
       }},
      {"toobig",
       [](Harness& h) {
         h.send(icmp({"2001:db8::1", "2001:db8::9", 0, 0}, 2, 0, std::string("\0\0\5\0", 4)));
       }},
      {"same",
       [](Harness& h) {
         h.send(udp({"10.0.0.1", "10.0.0.1", 1, 2}, "x"));
       }},
      {"thrice",
       [](Harness& h) {
         for (uint16_t port = 1; port <= 3; port++)
           h.send(udp({"10.0.0.1", "10.0.0.9", port, 9}, "again"));
       }},
      {"slow",
       [](Harness& h) {
         h.send(udp(kOneWay, "x"));
         h.pass_time(5'000'000);
         h.send(udp(kOneWay, "x"));
       }},
  };
  return kAll;
}

}  // namespace sluice::inspect::testing
