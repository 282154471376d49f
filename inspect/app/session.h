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
// A client contradicts what its server has said, and within that again (behind a CONNECT), at most
// so many times; then the connection is given up.
inline constexpr int kContradictionsMax = 3;

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
    if (contrary_) contrary_->rest();
    count_memory();
  }

  // The last one that was found; kFailed when it is none of ours. If the client contradicts what
  // its server has said, the client's.
  AppProtocol protocol() const { return spoken().protocol_; }
  // ... and this is the server's; else kUnknown.
  AppProtocol contradicted() const { return &spoken() == this ? AppProtocol::kUnknown : protocol_; }
  // What follows is not parsed: encrypted, unknown, or broken.
  bool finished() const {
    return state_ == State::kFinished && !verifying_ && (!contrary_ || contrary_->finished());
  }
  // ... because it is encrypted from here on.
  bool encrypted() const { return spoken().encrypted_ && finished(); }
  // ... because its parser gave up.
  bool failed() const {
    return &spoken() == this ? failed_ : contrary_->failed() || out_of_memory_;
  }
  // ... because there was no memory for it: what it held has been given back.
  bool out_of_memory() const { return out_of_memory_ || (contrary_ && contrary_->out_of_memory()); }
  // Bytes that it holds, about; what contradicts it counts for itself.
  size_t memory() const;

 private:
  enum class State : uint8_t { kProbing, kParsing, kFinished };
  // Until the protocol is known.
  struct Probing {
    uint32_t candidates[2] = {};             // bits of protocols_ that a direction may still tell
    uint32_t server_decides = 0;             // those of which a client's no is not the last word
    uint32_t client_first = 0;               // ... a server's is not
    uint32_t proxy_left = 0;                 // bytes of the header of a proxy that are to come
    bool proxy_known = false;                // whether there is one
    bool tunnel = false;                     // each direction tells for itself alone
    bool foreign = false;                    // the protocol before it says that it is none of ours
    bool heard = false;                      // somebody has spoken,
    Direction first = Direction::kToServer;  // and this one first
    std::vector<uint8_t> early[2];
  };
  // While directions have not shown yet that they speak the protocol that was found; its parser may
  // have ended before the client has said enough.
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

  // What protocols but that which was found say of the first bytes of a direction.
  struct Others {
    bool one = false;         // it is theirs
    bool maybe = false;       // it may still be
    bool maybe_soon = false;  // ... and that of one that decides with the first line
  };

  void take(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  void begin_probing();
  void probe(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  void probe_datagram(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  bool take_proxy_header(std::span<const uint8_t>& bytes);
  void rule_out(Direction direction, uint32_t entries);
  void give_up();
  void found(const ProtocolEntry& entry, Direction direction, TransactionSink& sink);
  void start(const ProtocolEntry& entry, TransactionSink& sink);
  void verify(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  void verified(Direction direction);
  Others others(Direction direction, std::span<const uint8_t> bytes) const;
  void tell_unexpected(Direction direction, const Others& other, TransactionSink& sink);
  const AppSession& spoken() const;
  void contradict(std::span<const uint8_t> bytes, TransactionSink& sink);
  void feed_contrary(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  bool hears_contrary(Direction direction) const;
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
  uint8_t contradictions_ = 0;        // of those that this one is within
  uint32_t uncounted_ = 0;            // bytes that have come since its memory was counted
  std::unique_ptr<Probing> probing_;  // in that state, over a connection
  std::unique_ptr<Verifying> verifying_;
  std::unique_ptr<Parser> parser_;
  // What the client speaks, if its first bytes contradict the protocol that the server's first ones
  // have told. Both are followed: the server may answer it, or refuse it and go on.
  std::unique_ptr<AppSession> contrary_;
  AppCharge charge_;
};

}  // namespace sluice::inspect
