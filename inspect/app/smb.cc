// SPDX-License-Identifier: Apache-2.0
// SMB ([MS-SMB], [MS-SMB2]) is recognised and not read: rules look at its stream.
#include <algorithm>

#include "inspect/app/parser.h"
#include "tunnels/bytes.h"

namespace sluice::inspect {
namespace {

constexpr uint16_t kPorts[] = {139, 445};

// A message of the NetBIOS session service (RFC 1002 section 4.3.1): type, length, and what it
// carries. At port 139 a session is asked for first, in two names. Frames of a WebSocket begin with
// the same types, and then with another byte.
constexpr size_t kHeaderLength = 4;
constexpr uint8_t kSessionRequest = 0x81, kSessionGranted = 0x82;
constexpr size_t kNamesMax = 512;

// Byte 4: what kind of message it is, from 0xfc (compressed) to 0xff (SMB 1).
constexpr size_t kStartLength = 8;
bool fits(size_t place, uint8_t byte) {
  constexpr std::string_view kName = "SMB";
  if (place == 0) return byte == 0;
  if (place == kHeaderLength) return byte >= 0xfc;
  return place < kHeaderLength || byte == kName[place - kHeaderLength - 1];
}

// What a client says first could be said to any server, and hide what follows from the parser for
// that: except at SMB's own ports its server must answer in SMB.
Probe probe(Direction direction, std::span<const uint8_t> bytes, uint16_t server_port) {
  const uint8_t session = direction == Direction::kToServer ? kSessionRequest : kSessionGranted;
  while (!bytes.empty() && bytes[0] == session) {
    if (bytes.size() > 1 && bytes[1] != 0) return Probe::kNo;
    if (bytes.size() < kHeaderLength) return Probe::kMore;
    const size_t length = tunnels::load_be16(&bytes[2]);
    if (length > kNamesMax) return Probe::kNo;
    bytes = bytes.subspan(std::min(kHeaderLength + length, bytes.size()));
  }
  const size_t known = std::min(bytes.size(), kStartLength);
  for (size_t i = 0; i < known; i++)
    if (!fits(i, bytes[i])) return Probe::kNo;
  if (known < kStartLength) return Probe::kMore;
  const bool own_port = std::ranges::find(kPorts, server_port) != std::end(kPorts);
  return own_port || direction == Direction::kToClient ? Probe::kYes : Probe::kMore;
}

// Until both ends have spoken, so that it is noticed if one of them speaks something else.
class SmbParser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t>, TransactionSink&) override {
    heard_[static_cast<size_t>(direction)] = true;
    return heard_[0] && heard_[1] ? Parsed::kDone : Parsed::kMore;
  }
  Parsed gap(Direction, uint64_t, TransactionSink&) override { return Parsed::kDone; }
  void end(Direction, TransactionSink&) override {}
  size_t memory() const override { return sizeof(*this); }

 private:
  bool heard_[2] = {};  // by Direction
};

}  // namespace

ProtocolEntry smb_entry() {
  return {AppProtocol::kSmb,
          true,
          false,
          probe,
          []() -> std::unique_ptr<Parser> { return std::make_unique<SmbParser>(); },
          /*server_decides=*/true,
          /*client_first=*/true};
}

}  // namespace sluice::inspect
