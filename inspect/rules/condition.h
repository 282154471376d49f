// SPDX-License-Identifier: Apache-2.0
// What a rule asks and does beside looking into buffers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "inspect/app/protocol.h"
#include "inspect/stream/decode_event.h"
#include "inspect/stream/flow.h"
#include "inspect/stream/packet_view.h"
#include "inspect/stream/stream_event.h"

namespace sluice::inspect {

class FlowNotes;
class HostBits;
class TrackedFile;
enum class FileHash : uint8_t;
class Transaction;

// What nDPI says of a flow so far; application 0: nothing yet.
struct Classified {
  uint16_t master = 0;
  uint16_t application = 0;
  uint64_t risks = 0;
};

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
  StreamEvents stream_events = 0;  // by the packet
  DecodeEvents decode_events;      // of the packet, or of what is none
  bool checksums_verified = true;  // else each is taken for right
  Classified classified;
  const TrackedFile* file = nullptr;     // that has just ended
  std::span<const uint16_t> app_events;  // of the transaction so far; places in app_events()
};

class Condition {
 public:
  virtual ~Condition() = default;
  virtual bool holds(const RuleContext& context) const = 0;
  // What it asks may be told later of bytes that are there already. Else it is about the moment at
  // which they are.
  virtual bool told_later() const { return false; }
  // It asks about a packet, so that the rule looks at packets.
  virtual bool about_packet() const { return false; }
  // ... also about one that is kept back because of what it does to its stream, or of its checksum.
  virtual bool about_stream_event() const { return false; }
  // ... about fragments.
  virtual bool about_fragment() const { return false; }
  // ... about bytes that are none.
  virtual bool about_decode_event() const { return false; }
  // ... only about its addresses.
  virtual bool about_addresses() const { return false; }
  // Of this application protocol; kUnknown: of any. Such a rule is asked when a direction of a
  // transaction is over.
  virtual AppProtocol about_transaction() const { return AppProtocol::kUnknown; }
  // It asks what nDPI says of the flow; a rule with no content is asked when that changes.
  virtual bool about_classification() const { return false; }
  // It asks about a file that has ended; such a rule is asked then.
  virtual bool about_file() const { return false; }
  // ... about this digest of it.
  virtual std::optional<FileHash> about_digest() const { return std::nullopt; }
  // An event of app_events() that must have happened; such a rule is asked when it happens.
  virtual std::optional<uint16_t> about_event() const { return std::nullopt; }
  // ... and for it there may be no transaction, of which the rule could ask more.
  virtual bool about_outside() const { return false; }
};

// What a rule does when it has matched, alert or not.
class Effect {
 public:
  virtual ~Effect() = default;
  virtual void apply(const RuleContext& context) const = 0;
};

}  // namespace sluice::inspect
