// SPDX-License-Identifier: Apache-2.0
// For tests: a control plane whose groups can follow a folder of files and a DNS server of ours.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/control/control_plane_fixture.h"
#include "gateway/discovery/discovery.h"
#include "gateway/discovery/dns_message_for_test.h"

namespace sluice::gateway {

inline constexpr uint32_t kSecondMs = 10;  // what the sources take for one

// Answers questions on a loopback port with what the test tells; SERVFAIL to all others.
class DnsServer {
 public:
  explicit DnsServer(EventLoop& loop) : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    const auto any = SocketAddress::parse("127.0.0.1", 0);
    SLUICE_CHECK(::bind(fd_.get(), any->raw(), any->size()) == 0);
    SLUICE_CHECK(watch_.start(loop, fd_.get(), EPOLLIN, [this](uint32_t) { answer(); }));
  }
  std::string address() const { return SocketAddress::local_of(fd_.get()).text(); }

  struct Record {
    std::string text;
    uint16_t port = 0;  // not 0: SRV
    uint32_t ttl_s = 1;
  };
  std::map<std::pair<std::string, uint16_t>, std::vector<Record>> records;
  bool fails = false;
  int questions = 0;

 private:
  void answer() {
    std::array<char, 512> bytes;
    sockaddr_storage from;
    socklen_t from_size = sizeof(from);
    const ssize_t size = ::recvfrom(fd_.get(), bytes.data(), bytes.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 17) return;
    questions++;
    std::string name;
    size_t at = 12;
    for (size_t length; (length = static_cast<uint8_t>(bytes[at])) != 0; at += length + 1)
      name += (name.empty() ? "" : ".") + std::string(&bytes[at + 1], length);
    const auto type = static_cast<uint16_t>(static_cast<uint8_t>(bytes[at + 1]) << 8 |
                                            static_cast<uint8_t>(bytes[at + 2]));
    const auto id =
        static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) << 8 | static_cast<uint8_t>(bytes[1]));
    const auto found = records.find({name, type});
    constexpr uint8_t kServerFailure = 2, kNoSuchName = 3;
    DnsMessage message(id, name, type,
                       fails                    ? kServerFailure
                       : found == records.end() ? kNoSuchName
                                                : 0);
    if (!fails && found != records.end())
      for (const Record& record : found->second) {
        if (record.port != 0)
          message.service(record.ttl_s, 1, record.port, record.text);
        else
          message.address(record.ttl_s, record.text);
      }
    const std::string out = message.bytes();
    (void)!::sendto(fd_.get(), out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&from),
                    from_size);
  }

  UniqueFd fd_;
  Watch watch_;
};

class DiscoveryTest : public ControlPlaneFixture {
 protected:
  DiscoveryTest() : dns(*loop), discovery(*loop, plane, kSecondMs) {
    char name[] = "/tmp/discovery_test.XXXXXX";
    folder = ::mkdtemp(name);
    events.listen([this](const Event& event) {
      if (event.kind == EventKind::kDiscovery) told.push_back(event.text);
    });
    discovery.follow();
  }
  ~DiscoveryTest() override { std::filesystem::remove_all(folder); }

  void set(const std::string& group, const Attributes& attributes) {
    const auto done = plane.commit("test", [&](Config& next) -> Result<> {
      next.target_groups.edit(group)->attributes = attributes;
      return {};
    });
    ASSERT_TRUE(done) << done.error()[0].text();
  }
  void write(const std::string& text) {
    std::ofstream(folder + "/new") << text;
    std::filesystem::rename(folder + "/new", folder + "/ids");
  }
  std::string targets(const std::string& group) {
    std::string out;
    for (const Target& target : plane.config().target_group(group)->targets)
      out += (out.empty() ? "" : " ") + target.text();
    return out;
  }
  template <class Condition>
  bool eventually(Condition condition) {
    constexpr int kPatienceS = 60;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kPatienceS);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop->turn(5);
    }
    return true;
  }
  bool becomes(const std::string& group, const std::string& wanted) {
    const bool done = eventually([&] { return targets(group) == wanted; });
    EXPECT_EQ(targets(group), wanted);
    return done;
  }
  FollowedGroup known(const std::string& group) {
    for (FollowedGroup& one : discovery.groups())
      if (one.group == group) return one;
    return {};
  }

  std::string folder;
  DnsServer dns;
  std::vector<std::string> told;
  Discovery discovery;
};

}  // namespace sluice::gateway
