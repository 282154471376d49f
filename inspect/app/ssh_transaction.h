// SPDX-License-Identifier: Apache-2.0
// How an SSH connection begins: who speaks, and what ciphers each side knows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "inspect/app/transaction.h"

namespace sluice::inspect {

class SshTransaction final : public Transaction {
 public:
  SshTransaction() : Transaction(AppProtocol::kSsh, 0) {}

  std::string_view event_type() const override { return "ssh"; }
  void write(JsonLine& line) const override;

  // "SSH-2.0-OpenSSH_9.2p1 Debian", without the line's end. False: it is none.
  bool banner(Direction direction, std::string_view line, TransactionSink& sink);
  // SSH_MSG_KEXINIT (RFC 4253, 7.1), from its message number on. False: it is broken.
  bool key_exchange(Direction direction, std::span<const uint8_t> message, TransactionSink& sink);

  size_t memory() const;

  // "2.0", "1.99"; empty: no banner yet.
  std::string_view protocol_version(Direction direction) const {
    return sides_[static_cast<size_t>(direction)].protocol;
  }

 private:
  struct Side {
    std::string protocol;
    std::string software;
    std::string hassh;  // "kex;ciphers;macs;compressions"
    std::string hassh_hash;
  };

  void tell(Direction direction, Buffer buffer, const std::string& text, TransactionSink& sink);

  Side sides_[2];  // by Direction
};

}  // namespace sluice::inspect
