// SPDX-License-Identifier: Apache-2.0
// What stream rules remember about one connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "inspect/stream/reassembly.h"

namespace sluice::inspect {

// Rules of one direction of a connection whose fast pattern occurred but whose other contents have
// not yet.
inline constexpr size_t kPendingMax = 32;
// Rules that matched in one direction of a connection and may match again further on.
inline constexpr size_t kFiredMax = 64;

// One direction.
struct StreamInspection {
  explicit StreamInspection(const StreamPool& pool) : stream(pool) {}

  struct Pending {
    uint32_t rule;
    uint64_t hit;  // stream position at which its pattern occurred last
  };
  struct Fired {
    uint64_t rule;   // Rule::id(): it holds over a reload
    uint64_t until;  // bytes before this position belong to a match that was reported
  };
  struct Remembered {
    std::vector<Pending> pending;
    std::vector<Fired> fired;
  };

  TcpStream stream;
  uint64_t parsed = 0;                     // position up to which the application's parser was fed
  std::unique_ptr<Remembered> remembered;  // of rules; nullptr: nothing
  std::optional<uint32_t> fin;             // the sequence number of its end
  bool ended = false;                      // there: nothing honest comes behind it
  uint32_t generation = 0;  // of the engine that has searched the stream and knows what is pending

  // Takes as little memory as it can; nothing is forgotten.
  void rest();
  // A reset there ends the connection (RFC 5961 section 3.2), if the stream is followed.
  bool believes_reset(uint32_t sequence) const;
  // A segment with bytes there says more than its sender has.
  bool is_behind_end(uint32_t sequence, size_t length) const;
  // Other rules: nothing has been searched for them.
  void begin_again(uint32_t its_generation);
  // Forgets those of which `is_over` says so.
  template <class IsOver>
  void settle_pending(IsOver is_over) {
    if (remembered) std::erase_if(remembered->pending, is_over);
  }
  // Adds or renews; false if there is no room.
  bool remember_pending(uint32_t rule, uint64_t hit);
  // Where a further match of the rule may begin; 0: it has not matched.
  uint64_t fired_until(uint64_t rule) const;
  // Without room it is not remembered: the rule may report the same bytes again.
  void remember_fired(uint64_t rule, uint64_t until);

 private:
  Remembered& memory();
};

struct TcpInspection {
  explicit TcpInspection(const StreamPool& pool)
      : sides{StreamInspection(pool), StreamInspection(pool)}, budget_(pool.budget) {
    budget_.sessions += sizeof(*this);
  }
  ~TcpInspection() { budget_.sessions -= sizeof(*this); }
  TcpInspection(const TcpInspection&) = delete;
  TcpInspection& operator=(const TcpInspection&) = delete;

  StreamInspection sides[2];  // by Direction

 private:
  StreamBudget& budget_;
};

}  // namespace sluice::inspect
