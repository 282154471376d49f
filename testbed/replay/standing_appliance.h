// SPDX-License-Identifier: Apache-2.0
// An appliance that stands at a target's address, in this process.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/counters.h"
#include "appliances/sdk/geneve_reply.h"
#include "inspect/eve/sink.h"

namespace sluice::testbed {

inline constexpr size_t kRepliesMax = sdk::kInjectionsMax + 1;

// Listens to what an appliance reports while it handles a packet, and hands the lines on.
class EveTap final : public inspect::Sink {
 public:
  // What the lines since the last forget() say, for a person: "rule 1000001 (cmd.exe in a URI)".
  struct Heard {
    std::vector<std::string> alerts;  // at most kHeardMax
    std::string blocked_by;           // the last one that blocked
  };
  static constexpr size_t kHeardMax = 16;

  explicit EveTap(std::unique_ptr<inspect::Sink> next) : next_(std::move(next)) {}
  void write(std::string_view line) override;
  void flush() override;
  const Heard& heard() const { return heard_; }
  void forget() { heard_ = {}; }

 private:
  std::unique_ptr<inspect::Sink> next_;  // may be nullptr
  Heard heard_;
};

class StandingAppliance : private sdk::ReplySink {
 public:
  // `tap` hears what `appliance` writes; nullptr when it writes nothing.
  StandingAppliance(std::string name, std::shared_ptr<EveTap> tap,
                    std::unique_ptr<sdk::Appliance> appliance);

  struct Reply {
    bool injected;
    std::vector<uint8_t> datagram;  // GENEVE and the packet
  };
  // What the live appliance would send back for `datagram`, in its order. Valid until the next
  // call.
  std::span<const Reply> answer(std::span<const uint8_t> datagram, int64_t time_us);
  // As a worker does; times never go back.
  void tick(int64_t time_us);
  void finish(int64_t time_us);

  const std::string& name() const { return name_; }
  const sdk::Counters& counters() const { return counters_; }
  EveTap::Heard heard() const { return tap_ ? tap_->heard() : EveTap::Heard{}; }

 private:
  void returned(std::span<uint8_t> datagram, bool hinted) override;
  bool injected(std::span<const uint8_t> header, std::span<const uint8_t> ip) override;

  std::string name_;
  std::shared_ptr<EveTap> tap_;
  std::unique_ptr<sdk::Appliance> appliance_;  // writes to the tap until it ends
  sdk::Counters counters_;
  std::vector<uint8_t> received_;  // with room for a hint
  std::vector<Reply> replies_;
  int64_t next_tick_us_ = 0;
};

}  // namespace sluice::testbed
