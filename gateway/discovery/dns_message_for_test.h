// SPDX-License-Identifier: Apache-2.0
// For tests: writes DNS answers (RFC 1035).
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace sluice::gateway {

inline constexpr uint16_t kDnsTypeA = 1, kDnsTypeCname = 5, kDnsTypeAaaa = 28, kDnsTypeSrv = 33;

class DnsMessage {
 public:
  DnsMessage(uint16_t id, const std::string& name, uint16_t type, uint8_t code = 0)
      : question_(encoded(name) + number(type) + number(1)) {
    head_ = number(id) + std::string("\x81", 1) + static_cast<char>(0x80 | code) + number(1);
  }
  void record(uint32_t ttl_s, uint16_t type, const std::string& data) {
    answers_ += std::string("\xc0\x0c", 2) + number(type) + number(1) +
                number(static_cast<uint16_t>(ttl_s >> 16)) + number(static_cast<uint16_t>(ttl_s)) +
                number(static_cast<uint16_t>(data.size())) + data;
    count_++;
  }
  void address(uint32_t ttl_s, const std::string& text) {
    char bytes[16];
    const bool six = inet_pton(AF_INET6, text.c_str(), bytes) == 1;
    if (!six) inet_pton(AF_INET, text.c_str(), bytes);
    record(ttl_s, six ? kDnsTypeAaaa : kDnsTypeA, std::string(bytes, six ? 16 : 4));
  }
  void cname(uint32_t ttl_s, const std::string& name) {
    record(ttl_s, kDnsTypeCname, encoded(name));
  }
  void service(uint32_t ttl_s, uint16_t priority, uint16_t port, const std::string& host) {
    record(ttl_s, kDnsTypeSrv, number(priority) + number(0) + number(port) + encoded(host));
  }
  std::string bytes() const {
    return head_ + number(count_) + number(0) + number(0) + question_ + answers_;
  }

  static std::string encoded(const std::string& name) {
    std::string out;
    for (size_t begin = 0; begin < name.size();) {
      const size_t end = std::min(name.find('.', begin), name.size());
      out += static_cast<char>(end - begin) + name.substr(begin, end - begin);
      begin = end + 1;
    }
    return out + '\0';
  }

 private:
  static std::string number(uint16_t value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
  }
  std::string head_, question_, answers_;
  uint16_t count_ = 0;
};

}  // namespace sluice::gateway
