// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/ssh_transaction.h"

#include "inspect/app/memory.h"
#include "inspect/eve/json_line.h"
#include "inspect/tls/ja3.h"
#include "tunnels/bytes.h"

namespace sluice::inspect {
namespace {

constexpr std::string_view kBannerStart = "SSH-";
constexpr size_t kCookie = 16;

// The name lists of SSH_MSG_KEXINIT in their order.
enum NameList : uint8_t {
  kKeyExchanges,
  kHostKeys,
  kCiphersUp,  // from the client to the server
  kCiphersDown,
  kMacsUp,
  kMacsDown,
  kCompressionsUp,
  kCompressionsDown,
  kLanguagesUp,
  kLanguagesDown,
  kNameLists,
};

}  // namespace

void SshTransaction::tell(Direction direction, Buffer buffer, const std::string& text,
                          TransactionSink& sink) {
  if (sink.wants(buffer))
    sink.buffer(*this, direction, buffer,
                {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

size_t SshTransaction::memory() const {
  size_t bytes = sizeof(*this);
  for (const Side& side : sides_)
    bytes += heap_of(side.protocol) + heap_of(side.software) + heap_of(side.hassh) +
             heap_of(side.hassh_hash);
  return bytes;
}

bool SshTransaction::banner(Direction direction, std::string_view line, TransactionSink& sink) {
  if (!line.starts_with(kBannerStart)) return false;
  line.remove_prefix(kBannerStart.size());
  const size_t dash = line.find('-');
  if (dash == std::string_view::npos || dash == 0) return false;
  Side& side = sides_[static_cast<size_t>(direction)];
  side.protocol = line.substr(0, dash);
  const std::string_view rest = line.substr(dash + 1);
  side.software = rest.substr(0, rest.find_first_of(" \r"));  // comments follow
  tell(direction, Buffer::kSshProtocol, side.protocol, sink);
  if (!side.software.empty()) tell(direction, Buffer::kSshSoftware, side.software, sink);
  return true;
}

bool SshTransaction::key_exchange(Direction direction, std::span<const uint8_t> message,
                                  TransactionSink& sink) {
  tunnels::Reader reader(message);
  reader.u8();
  reader.skip(kCookie);
  std::string_view lists[kNameLists];
  for (std::string_view& list : lists) {
    const auto names = reader.bytes(reader.be32());
    list = {reinterpret_cast<const char*>(names.data()), names.size()};
  }
  if (!reader.ok()) return false;
  const bool client = direction == Direction::kToServer;
  Side& side = sides_[static_cast<size_t>(direction)];
  side.hassh = lists[kKeyExchanges];
  for (const NameList list : {client ? kCiphersUp : kCiphersDown, client ? kMacsUp : kMacsDown,
                              client ? kCompressionsUp : kCompressionsDown}) {
    side.hassh += ';';
    side.hassh += lists[list];
  }
  side.hassh_hash = tls::md5_text(side.hassh);
  tell(direction, client ? Buffer::kSshHassh : Buffer::kSshHasshServer, side.hassh_hash, sink);
  tell(direction, client ? Buffer::kSshHasshString : Buffer::kSshHasshServerString, side.hassh,
       sink);
  return true;
}

void SshTransaction::write(JsonLine& line) const {
  line.open("ssh");
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    const Side& side = sides_[static_cast<size_t>(direction)];
    if (side.protocol.empty()) continue;
    line.open(direction == Direction::kToServer ? JsonKey("client") : JsonKey("server"));
    line.string("proto_version", side.protocol);
    line.string("software_version", side.software);
    if (!side.hassh.empty()) {
      line.open("hassh");
      line.string("hash", side.hassh_hash);
      line.string("string", side.hassh);
      line.close();
    }
    line.close();
  }
  line.close();
}

}  // namespace sluice::inspect
