// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/dns_text.h"

#include <algorithm>
#include <vector>

#include "inspect/eve/json_line.h"
#include "tunnels/bytes.h"

namespace sluice::inspect {
namespace {

constexpr char kHex[] = "0123456789abcdef";

struct TypeName {
  uint16_t type;
  std::string_view name;
};

// IANA's registry of types of resource records.
constexpr TypeName kTypes[] = {
    {1, "A"},       {2, "NS"},        {3, "MD"},          {4, "MF"},     {5, "CNAME"},
    {6, "SOA"},     {7, "MB"},        {8, "MG"},          {9, "MR"},     {10, "NULL"},
    {11, "WKS"},    {12, "PTR"},      {13, "HINFO"},      {14, "MINFO"}, {15, "MX"},
    {16, "TXT"},    {17, "RP"},       {18, "AFSDB"},      {19, "X25"},   {20, "ISDN"},
    {21, "RT"},     {22, "NSAP"},     {23, "NSAPPTR"},    {24, "SIG"},   {25, "KEY"},
    {26, "PX"},     {27, "GPOS"},     {28, "AAAA"},       {29, "LOC"},   {30, "NXT"},
    {33, "SRV"},    {34, "ATMA"},     {35, "NAPTR"},      {36, "KX"},    {37, "CERT"},
    {38, "A6"},     {39, "DNAME"},    {41, "OPT"},        {42, "APL"},   {43, "DS"},
    {44, "SSHFP"},  {45, "IPSECKEY"}, {46, "RRSIG"},      {47, "NSEC"},  {48, "DNSKEY"},
    {49, "DHCID"},  {50, "NSEC3"},    {51, "NSEC3PARAM"}, {52, "TLSA"},  {55, "HIP"},
    {59, "CDS"},    {60, "CDNSKEY"},  {61, "OPENPGPKEY"}, {64, "SVCB"},  {65, "HTTPS"},
    {99, "SPF"},    {249, "TKEY"},    {250, "TSIG"},      {251, "IXFR"}, {252, "AXFR"},
    {253, "MAILB"}, {254, "MAILA"},   {255, "ANY"},       {256, "URI"},  {257, "CAA"},
};

constexpr std::string_view kRcodes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                        "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                        "NXRRSET", "NOTAUTH", "NOTZONE"};

struct FlagName {
  uint16_t bit;
  std::string_view name;
};

constexpr FlagName kFlags[] = {{kDnsResponse, "qr"}, {0x0400, "aa"}, {0x0200, "tc"},
                               {0x0100, "rd"},       {0x0080, "ra"}, {kDnsZ, "z"}};

tunnels::Reader reader(std::string_view data) {
  return tunnels::Reader({reinterpret_cast<const uint8_t*>(data.data()), data.size()});
}

// "0a:0b"; groups of `group` bytes.
std::string hex(std::string_view data, size_t group) {
  std::string text;
  for (size_t i = 0; i < data.size(); i++) {
    if (i != 0 && i % group == 0) text += ':';
    text += kHex[static_cast<uint8_t>(data[i]) >> 4];
    text += kHex[data[i] & 15];
  }
  return text;
}

std::string ipv4_text(std::string_view data) {
  std::string text;
  for (const char byte : data) {
    if (!text.empty()) text += '.';
    text += std::to_string(static_cast<uint8_t>(byte));
  }
  return text;
}

bool has_text(const DnsRecord& record) {
  switch (record.type) {
    case kDnsTypeA:
    case kDnsTypeAaaa:
    case kDnsTypeNs:
    case kDnsTypeCname:
    case kDnsTypePtr:
    case kDnsTypeDname:
    case kDnsTypeMx:
    case kDnsTypeTxt:
    case kDnsTypeNull:
      return true;
    default:
      return false;
  }
}

std::string data_text(const DnsMessage& message, const DnsRecord& record) {
  switch (record.type) {
    case kDnsTypeA:
      return ipv4_text(message.view(record.data));
    case kDnsTypeAaaa:
      return hex(message.view(record.data), 2);
    case kDnsTypeTxt:
    case kDnsTypeNull:
      return std::string(message.view(record.data));
    default:
      return std::string(message.view(record.target));
  }
}

void write_soa(JsonLine& line, const DnsMessage& message, const DnsRecord& record) {
  static constexpr std::string_view kNumbers[] = {"serial", "refresh", "retry", "expire",
                                                  "minimum"};
  line.string("mname", message.view(record.target));
  line.string("rname", message.view(record.mailbox));
  auto numbers = reader(message.view(record.data));
  for (const std::string_view name : kNumbers) line.unsigned_number(name, numbers.be32());
}

void write_srv(JsonLine& line, const DnsMessage& message, const DnsRecord& record) {
  auto numbers = reader(message.view(record.data));
  for (const std::string_view name : {"priority", "weight", "port"})
    line.unsigned_number(name, numbers.be16());
  line.string("name", message.view(record.target));
}

void write_sshfp(JsonLine& line, const DnsMessage& message, const DnsRecord& record) {
  auto data = reader(message.view(record.data));
  const uint8_t algorithm = data.u8();
  const uint8_t type = data.u8();
  const auto fingerprint = data.rest();
  line.string("fingerprint",
              hex({reinterpret_cast<const char*>(fingerprint.data()), fingerprint.size()}, 1));
  line.unsigned_number("algo", algorithm);
  line.unsigned_number("type", type);
}

// The data's members, of which the object or array `open`s are the caller's.
bool write_parts(JsonLine& line, const DnsMessage& message, const DnsRecord& record) {
  switch (record.type) {
    case kDnsTypeSoa:
      write_soa(line, message, record);
      return true;
    case kDnsTypeSrv:
      write_srv(line, message, record);
      return true;
    case kDnsTypeSshfp:
      write_sshfp(line, message, record);
      return true;
    default:
      return false;
  }
}

bool has_parts(const DnsRecord& record) {
  return record.type == kDnsTypeSoa || record.type == kDnsTypeSrv || record.type == kDnsTypeSshfp;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c < 'A' ? c : char(c | 0x20); });
  return text;
}

void write_record(JsonLine& line, const DnsMessage& message, const DnsRecord& record) {
  const std::string type = dns_type_text(record.type);
  line.element_open();
  line.string("rrname", message.view(record.name));
  line.string("rrtype", type);
  line.unsigned_number("ttl", record.ttl);
  if (has_text(record)) line.string("rdata", data_text(message, record));
  if (has_parts(record)) {
    line.open(lower(type));
    write_parts(line, message, record);
    line.close();
  }
  line.close();
}

}  // namespace

std::string dns_type_text(uint16_t type) {
  const auto* const found = std::ranges::lower_bound(kTypes, type, {}, &TypeName::type);
  if (found != std::end(kTypes) && found->type == type) return std::string(found->name);
  return std::to_string(type);
}

std::string dns_rcode_text(uint8_t rcode) {
  return rcode < std::size(kRcodes) ? std::string(kRcodes[rcode]) : std::to_string(rcode);
}

void write_dns_flags(JsonLine& line, const DnsMessage& message) {
  std::string flags;
  for (int shift = 12; shift >= 0; shift -= 4)
    if (!flags.empty() || message.flags >> shift != 0 || shift == 0)
      flags += kHex[message.flags >> shift & 15];
  line.string("flags", flags);
  for (const FlagName& flag : kFlags)
    if ((message.flags & flag.bit) != 0) line.boolean(flag.name, true);
  line.unsigned_number("opcode", message.opcode());
}

void write_dns_queries(JsonLine& line, const DnsMessage& message) {
  if (message.queries.empty()) return;
  line.open_array("queries");
  for (const DnsQuestion& query : message.queries) {
    line.element_open();
    line.string("rrname", message.view(query.name));
    line.string("rrtype", dns_type_text(query.type));
    line.close();
  }
  line.close_array();
}

void write_dns_section(JsonLine& line, const DnsMessage& message, DnsSection section,
                       std::string_view key) {
  bool open = false;
  for (const DnsRecord& record : message.records) {
    if (record.section != section) continue;
    if (!open) line.open_array(key);
    open = true;
    write_record(line, message, record);
  }
  if (open) line.close_array();
}

void write_dns_grouped(JsonLine& line, const DnsMessage& message) {
  const auto shown = [](const DnsRecord& r) {
    return r.section == DnsSection::kAnswers && (has_text(r) || has_parts(r));
  };
  std::vector<uint16_t> types;
  for (const DnsRecord& record : message.records)
    if (shown(record) && std::ranges::find(types, record.type) == types.end())
      types.push_back(record.type);
  if (types.empty()) return;
  line.open("grouped");
  for (const uint16_t type : types) {
    line.open_array(dns_type_text(type));
    for (const DnsRecord& record : message.records) {
      if (!shown(record) || record.type != type) continue;
      if (has_text(record)) {
        line.element(data_text(message, record));
        continue;
      }
      line.element_open();
      write_parts(line, message, record);
      line.close();
    }
    line.close_array();
  }
  line.close();
}

}  // namespace sluice::inspect
