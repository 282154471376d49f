// SPDX-License-Identifier: Apache-2.0
// What a rule asks and does beside looking into buffers.
#pragma once

#include <cstdint>
#include <memory>

#include "inspect/app/protocol.h"
#include "inspect/stream/flow.h"
#include "inspect/stream/packet_view.h"

namespace sluice::inspect {

class FlowNotes;
class HostBits;
class Transaction;

// Where a rule is asked.
struct RuleContext {
  const PacketView& view;
  const Flow& flow;
  Direction direction;  // of the packet, or of the transaction's part
  int64_t time_us;
  AppProtocol app_protocol;                // of this direction's connection
  uint64_t stream_bytes[2];                // in order so far, by Direction; TCP
  const Transaction* transaction;          // nullptr: not about one
  std::unique_ptr<FlowNotes>& flow_notes;  // made by the first effect that notes something
  HostBits& host_bits;
};

class Condition {
 public:
  virtual ~Condition() = default;
  virtual bool holds(const RuleContext& context) const = 0;
  // It asks about a packet, so that the rule looks at packets.
  virtual bool about_packet() const { return false; }
  // Of this application protocol; kUnknown: of any. Such a rule is asked when a direction of a
  // transaction is over.
  virtual AppProtocol about_transaction() const { return AppProtocol::kUnknown; }
};

// What a rule does when it has matched, alert or not.
class Effect {
 public:
  virtual ~Effect() = default;
  virtual void apply(const RuleContext& context) const = 0;
};

}  // namespace sluice::inspect
