// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/dns_message.h"

#include <algorithm>

#include "tunnels/bytes.h"

namespace sluice::inspect {
namespace {

using tunnels::load_be16;
using tunnels::Reader;

constexpr size_t kQuestionLengthMin = 5;  // the root's name, type, class
constexpr size_t kRecordLengthMin = 11;
constexpr uint8_t kLabelKind = 0xc0;  // two bits: 00 a label, 11 a pointer
constexpr size_t kSoaNumbers = 20;
constexpr size_t kDataMax = 4096;  // of one record that is kept

class MessageReader {
 public:
  explicit MessageReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  DnsMessage read() {
    Reader header(bytes_);
    message_.id = header.be16();
    message_.flags = header.be16();
    uint16_t counts[4];
    for (uint16_t& count : counts) count = header.be16();
    if (!header.ok()) return DnsMessage{.faults = kDnsMalformed};
    at_ = header.offset();
    for (uint16_t i = 0; i < counts[0]; i++)
      if (!question()) return std::move(message_);
    for (size_t section = 0; section < 3; section++) {
      for (uint16_t i = 0; i < counts[1 + section]; i++)
        if (!record(static_cast<DnsSection>(section))) return std::move(message_);
    }
    return std::move(message_);
  }

 private:
  bool fail(uint8_t fault) {
    message_.faults |= fault;
    return false;
  }

  bool room_for_more() {
    if (message_.queries.size() + message_.records.size() < kDnsRecordsMax &&
        message_.text.size() < kDnsTextMax)
      return true;
    return fail(kDnsTooManyRecords);
  }

  bool question() {
    DnsQuestion question;
    if (!room_for_more() || !name(at_, bytes_.size(), question.name)) return false;
    Reader rest(bytes_.subspan(at_));
    question.type = rest.be16();
    rest.be16();  // class
    if (!rest.ok()) return fail(kDnsMalformed);
    at_ += rest.offset();
    message_.queries.push_back(question);
    return true;
  }

  bool record(DnsSection section) {
    DnsRecord record{.section = section};
    if (!room_for_more() || !name(at_, bytes_.size(), record.name)) return false;
    Reader rest(bytes_.subspan(at_));
    record.type = rest.be16();
    rest.be16();  // class
    record.ttl = rest.be32();
    const size_t length = rest.be16();
    if (!rest.ok() || length > rest.remaining()) return fail(kDnsMalformed);
    at_ += rest.offset();
    const size_t end = at_ + length;
    const bool good = record.type == kDnsTypeTxt ? strings(record, end) : data(record, end);
    at_ = end;
    return good;
  }

  // Reads the record's data, which ends at `end`, and keeps the record.
  bool data(DnsRecord& record, size_t end) {
    bool good = true;
    switch (record.type) {
      case kDnsTypeNs:
      case kDnsTypeCname:
      case kDnsTypePtr:
      case kDnsTypeDname:
        good = name(at_, end, record.target);
        break;
      case kDnsTypeMx:
        good = bytes(2, end, record.data) && name(at_, end, record.target);
        break;
      case kDnsTypeSrv:
        good = bytes(6, end, record.data) && name(at_, end, record.target);
        break;
      case kDnsTypeSoa:
        good = name(at_, end, record.target) && name(at_, end, record.mailbox) &&
               bytes(kSoaNumbers, end, record.data);
        break;
      case kDnsTypeA:
        good = bytes(4, end, record.data);
        break;
      case kDnsTypeAaaa:
        good = bytes(16, end, record.data);
        break;
      case kDnsTypeNull:
      case kDnsTypeSshfp:
        good = bytes(std::min(end - at_, kDataMax), end, record.data);
        break;
      default:
        break;  // its data is not understood
    }
    message_.records.push_back(record);
    return good;
  }

  bool strings(DnsRecord& record, size_t end) {
    while (at_ < end) {
      const size_t length = bytes_[at_++];
      if (!room_for_more() || !bytes(length, end, record.data)) return false;
      message_.records.push_back(record);
    }
    return true;
  }

  bool bytes(size_t count, size_t end, DnsText& out) {
    if (count > end - at_) return fail(kDnsMalformed);
    out = {static_cast<uint32_t>(message_.text.size()), static_cast<uint32_t>(count)};
    append(at_, count);
    at_ += count;
    return true;
  }

  // Appends a name, dotted. It begins at `at` and ends before `end`, unless it goes on elsewhere by
  // pointers. Moves `at` behind it.
  bool name(size_t& at, size_t end, DnsText& out) {
    const size_t begin = message_.text.size();
    out.at = static_cast<uint32_t>(begin);
    size_t cursor = at;
    size_t pointers = 0;
    bool full = false;
    while (true) {
      if (cursor >= end) return fail(kDnsMalformed);
      const uint8_t head = bytes_[cursor++];
      if (head == 0) break;
      if ((head & kLabelKind) == kLabelKind) {
        if (cursor >= end) return fail(kDnsMalformed);
        if (pointers == 0) at = cursor + 1;
        if (++pointers > kDnsPointersMax) return fail(kDnsPointerLoop);
        cursor = size_t{head & 0x3fu} << 8 | bytes_[cursor];
        end = bytes_.size();
        continue;
      }
      if ((head & kLabelKind) != 0 || head > end - cursor) return fail(kDnsMalformed);
      if (!full && !label(begin, cursor, head)) {
        message_.faults |= kDnsNameTooLong;
        full = true;
      }
      if (full && pointers != 0) return true;  // where it ends is known
      cursor += head;
      out.length = static_cast<uint32_t>(message_.text.size() - begin);
    }
    if (pointers == 0) at = cursor;
    return true;
  }

  bool label(size_t begin, size_t at, size_t length) {
    const size_t used = message_.text.size() - begin;
    if (used + 1 + length > kDnsNameMax) return false;
    if (used != 0) message_.text += '.';
    append(at, length);
    return true;
  }

  void append(size_t at, size_t length) {
    message_.text.append(reinterpret_cast<const char*>(bytes_.data()) + at, length);
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  DnsMessage message_;
};

bool known_opcode(uint8_t opcode) { return opcode <= 6 && opcode != 3; }

}  // namespace

DnsMessage read_dns_message(std::span<const uint8_t> bytes) { return MessageReader(bytes).read(); }

bool plausible_dns_header(std::span<const uint8_t> header, size_t length) {
  const uint16_t flags = load_be16(&header[2]);
  size_t records = 0;
  for (size_t i = 3; i < 6; i++) records += load_be16(&header[2 * i]);
  const size_t queries = load_be16(&header[4]);
  return known_opcode(flags >> 11 & 15) && queries + records != 0 &&
         kDnsHeaderLength + queries * kQuestionLengthMin + records * kRecordLengthMin <= length;
}

bool plausible_dns_question(std::span<const uint8_t> bytes) {
  size_t at = kDnsHeaderLength;
  while (at < bytes.size() && bytes[at] != 0) {
    const size_t length = bytes[at];
    if (length > 63 || length + 1 >= bytes.size() - at) return false;
    const auto label = bytes.subspan(at + 1, length);
    if (!std::ranges::all_of(label, [](uint8_t c) { return c > 0x20 && c < 0x7f; })) return false;
    at += 1 + length;
  }
  if (bytes.size() < 5 || at > bytes.size() - 5) return false;
  const uint16_t type = load_be16(&bytes[at + 1]);
  const uint16_t network = load_be16(&bytes[at + 3]) & 0x7fff;  // mDNS asks by the first bit
  return at > kDnsHeaderLength && type != 0 && (network == 1 || network == 255);
}

}  // namespace sluice::inspect
