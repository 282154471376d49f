// SPDX-License-Identifier: Apache-2.0
// One rule, as parsed and checked: nothing in it is unsupported.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inspect/app/protocol.h"
#include "inspect/rules/action.h"
#include "inspect/rules/buffer_match.h"
#include "inspect/rules/header.h"
#include "inspect/rules/threshold.h"

namespace sluice::inspect {

class Condition;
class Effect;

// Who is told of a reject.
enum class RejectWhom : uint8_t { kBoth, kSource, kDestination };

// What a rule looks at.
enum class Scope : uint8_t {
  kPacket,       // each packet: tcp-pkt, flow:no_stream, dsize, rules without content
  kStream,       // TCP bytes in order, however they were cut: tcp-stream, flow:only_stream, content
                 // without positions
  kBoth,         // content with positions (offset, depth, startswith): either may match, as in
                 // Suricata
  kTransaction,  // buffers of an application protocol
};

struct FlowOption {
  bool to_server = false;
  bool to_client = false;
  bool established = false;
  bool not_established = false;
  bool stateless = false;
  bool only_stream = false;
  bool no_stream = false;
};

// target: which end of the rule is the victim, for alerts.
enum class Target : uint8_t { kNone, kSource, kDestination };

struct Rule {
  Action action = Action::kAlert;
  RejectWhom reject_whom = RejectWhom::kBoth;
  uint8_t protocol = 0;    // 0: any IP; kProtocolIcmp stands for ICMPv6 too
  uint8_t ip_version = 0;  // 4, 6; 0: either
  bool tcp_packet = false;
  bool tcp_stream = false;
  bool packet_header = false;  // pkthdr: also what is no packet
  bool both_ways = false;      // <>
  bool both_sides = false;     // =>: buffers of a request and of its response
  FlowOption flow;
  Scope scope = Scope::kPacket;
  Target target = Target::kNone;
  bool noalert = false;
  bool alerts_on_pass = false;  // a pass rule with `alert`
  bool bypass = false;          // the rest of the flow is not inspected
  // Any of these; empty: whatever it is. `http` stands for HTTP/1 and HTTP/2.
  std::vector<AppProtocol> app_protocols;
  AddressList source, destination;
  PortList source_port, destination_port;

  std::string msg;
  uint32_t sid = 0;
  uint32_t gid = 1;
  uint32_t rev = 0;
  std::string classtype;
  std::string category;
  int priority = 3;
  std::vector<std::pair<std::string, std::string>> references;  // type, value
  std::vector<std::pair<std::string, std::string>> metadata;    // key, value

  std::vector<RulePart> parts;  // in the order written, those of one buffer together
  size_t variables = 0;         // that byte_extract and byte_math fill
  std::vector<std::shared_ptr<const Condition>> conditions;
  std::vector<std::shared_ptr<const Effect>> effects;
  std::optional<Threshold> threshold;
  std::optional<DetectionFilter> detection_filter;
  std::optional<RateFilter> rate_filter;
  std::vector<std::shared_ptr<const Suppression>> suppressions;  // any of them keeps alerts back

  std::string file;
  int line = 0;
  uint64_t text_hash = 0;  // of the rule as it is written

  // Of all revisions of the rule; what is remembered about it outlives a reload under this number.
  uint64_t id() const { return uint64_t{gid} << 32 | sid; }

  // The part about the bytes that packets and streams carry; nullptr: none.
  const RulePart* payload() const;
};

}  // namespace sluice::inspect
