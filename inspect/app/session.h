// SPDX-License-Identifier: Apache-2.0
// The application's side of one flow: which protocol it speaks, found by content, and its parser.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "inspect/app/memory.h"
#include "inspect/app/parser.h"

namespace sluice::inspect {

// Bytes of a direction of a connection that are kept to recognise the protocol; if they do not
// tell, only the other direction can.
inline constexpr size_t kProbeBytesMax = 2048;
// A connection changes its protocol (SMTP -> TLS, HTTP -> HTTP/2, CONNECT) at most so often in what
// comes at once; then it is given up.
inline constexpr int kProtocolChangesMax = 4;

// All protocols that are understood.
std::span<const ProtocolEntry> all_protocols();

// Whether rules may speak of it: there is a parser, or it is an answer (kFailed, kUnknown).
bool is_understood(AppProtocol protocol);

class AppSession {
 public:
  // `budget` must outlive the session.
  AppSession(bool tcp, uint16_t server_port,
             std::span<const ProtocolEntry> protocols = all_protocols(),
             AppBudget* budget = nullptr);

  // The next bytes of a direction in order, or one datagram.
  void feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  // Bytes that the receiver has and nobody here saw.
  void gap(Direction direction, uint64_t length, TransactionSink& sink);
  void end(Direction direction, TransactionSink& sink);
  // The connection is silent.
  void rest() {
    if (parser_) parser_->rest();
    count_memory();
  }

  // The last one that was found; kFailed when it is none of ours.
  AppProtocol protocol() const { return protocol_; }
  // What follows is not parsed: encrypted, unknown, or broken.
  bool finished() const { return state_ == State::kFinished; }
  // ... because it is encrypted from here on.
  bool encrypted() const { return encrypted_; }
  // ... because its parser gave up.
  bool failed() const { return failed_; }
  // ... because there was no memory for it: what it held has been given back.
  bool out_of_memory() const { return out_of_memory_; }
  // Bytes that it holds, about.
  size_t memory() const;

 private:
  enum class State : uint8_t { kProbing, kParsing, kFinished };
  // Until the protocol is known.
  struct Probing {
    uint32_t candidates[2] = {};             // bits of protocols_ that a direction may still tell
    uint32_t server_decides = 0;             // those of which a client's no is not the last word
    uint32_t client_first = 0;               // ... a server's is not
    bool tunnel = false;                     // each direction tells for itself alone
    bool foreign = false;                    // the protocol before it says that it is none of ours
    bool heard = false;                      // somebody has spoken,
    Direction first = Direction::kToServer;  // and this one first
    std::vector<uint8_t> early[2];
  };
  // While directions have not shown yet that they speak the protocol that was found.
  struct Verifying {
    const ProtocolEntry* entry;
    uint8_t left;            // of which directions, as bits
    bool announced = false;  // by the protocol before it
    std::vector<uint8_t> early[2] = {};
  };

  template <class T>
  static T& of(T (&sides)[2], Direction direction) {
    return sides[static_cast<size_t>(direction)];
  }
  static constexpr uint8_t bit_of(Direction direction) {
    return static_cast<uint8_t>(1 << static_cast<int>(direction));
  }

  void take(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  void begin_probing();
  void probe(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  void probe_datagram(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  void rule_out(Direction direction, uint32_t entries);
  void give_up();
  void found(const ProtocolEntry& entry, Direction direction, TransactionSink& sink);
  void start(const ProtocolEntry& entry, TransactionSink& sink);
  void verify(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  void verified(Direction direction);
  void tell_other_protocol(Direction direction, std::span<const uint8_t> bytes,
                           TransactionSink& sink);
  void parse(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  void after(Parsed parsed, TransactionSink& sink);
  void change_protocol(TransactionSink& sink);
  void stop(TransactionSink& sink);
  void settle(TransactionSink& sink);
  void count_memory();

  const std::span<const ProtocolEntry> protocols_;
  const uint16_t server_port_;
  const bool tcp_;
  State state_ = State::kProbing;
  AppProtocol protocol_ = AppProtocol::kUnknown;
  bool encrypted_ = false;
  bool failed_ = false;
  bool out_of_memory_ = false;
  uint8_t changes_ = 0;
  uint32_t uncounted_ = 0;            // bytes that have come since its memory was counted
  std::unique_ptr<Probing> probing_;  // in that state, over a connection
  std::unique_ptr<Verifying> verifying_;
  std::unique_ptr<Parser> parser_;
  AppCharge charge_;
};

}  // namespace sluice::inspect
