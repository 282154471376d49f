// SPDX-License-Identifier: Apache-2.0
// A DNS message (RFC 1035, 4), read from hostile bytes. What is broken ends the reading: what came
// before it is kept, for whoever answers the message may have understood as much.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::inspect {

inline constexpr size_t kDnsHeaderLength = 12;
inline constexpr size_t kDnsNameMax = 1024;       // of dotted text; an honest one has 253
inline constexpr size_t kDnsPointersMax = 64;     // in one name
inline constexpr size_t kDnsRecordsMax = 1024;    // questions and records of a message
inline constexpr size_t kDnsTextMax = 128 << 10;  // all names and data of a message, decompressed

inline constexpr uint16_t kDnsTypeA = 1;
inline constexpr uint16_t kDnsTypeNs = 2;
inline constexpr uint16_t kDnsTypeCname = 5;
inline constexpr uint16_t kDnsTypeSoa = 6;
inline constexpr uint16_t kDnsTypeNull = 10;
inline constexpr uint16_t kDnsTypePtr = 12;
inline constexpr uint16_t kDnsTypeMx = 15;
inline constexpr uint16_t kDnsTypeTxt = 16;
inline constexpr uint16_t kDnsTypeAaaa = 28;
inline constexpr uint16_t kDnsTypeSrv = 33;
inline constexpr uint16_t kDnsTypeDname = 39;
inline constexpr uint16_t kDnsTypeSshfp = 44;

inline constexpr uint16_t kDnsResponse = 0x8000;  // QR
inline constexpr uint16_t kDnsZ = 0x0040;

enum class DnsSection : uint8_t { kAnswers, kAuthorities, kAdditionals };

// Bits of DnsMessage::faults.
inline constexpr uint8_t kDnsMalformed = 1;       // a length beyond the end, or an unknown label
inline constexpr uint8_t kDnsNameTooLong = 2;     // cut at kDnsNameMax
inline constexpr uint8_t kDnsPointerLoop = 4;     // more than kDnsPointersMax
inline constexpr uint8_t kDnsTooManyRecords = 8;  // more than kDnsRecordsMax or kDnsTextMax

// A part of DnsMessage::text.
struct DnsText {
  uint32_t at = 0;
  uint32_t length = 0;
};

struct DnsQuestion {
  DnsText name;
  uint16_t type = 0;
};

struct DnsRecord {
  DnsSection section = DnsSection::kAnswers;
  uint16_t type = 0;
  uint32_t ttl = 0;
  DnsText name;
  DnsText target;   // the name in the data of a CNAME, DNAME, MX, NS, PTR, SOA or SRV
  DnsText mailbox;  // of a SOA
  DnsText data;     // what is not a name, as on the wire; of a TXT one of its strings
};

struct DnsMessage {
  uint16_t id = 0;
  uint16_t flags = 0;  // the header's second word
  uint8_t faults = 0;
  std::vector<DnsQuestion> queries;
  std::vector<DnsRecord> records;  // in the order of the message; a TXT with n strings is n of them
  std::string text;

  std::string_view view(DnsText part) const { return {text.data() + part.at, part.length}; }
  bool is_response() const { return (flags & kDnsResponse) != 0; }
  uint8_t opcode() const { return flags >> 11 & 15; }
  uint8_t rcode() const { return flags & 15; }
};

// `bytes` is the message without the length that TCP puts before it. Shorter than a header: all is
// zero and malformed.
DnsMessage read_dns_message(std::span<const uint8_t> bytes);

// The header's counts fit into a message of `length` bytes, and its opcode has a meaning. `header`
// is kDnsHeaderLength bytes.
bool plausible_dns_header(std::span<const uint8_t> header, size_t length);

// Whether the first question of the message is whole and looks as honest software writes it.
bool plausible_dns_question(std::span<const uint8_t> bytes);

}  // namespace sluice::inspect
