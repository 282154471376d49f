// SPDX-License-Identifier: Apache-2.0
// One rule, as parsed and checked: nothing in it is unsupported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "inspect/rules/header.h"
#include "inspect/rules/regex.h"

namespace sluice::inspect {

// In the order in which they win.
enum class Action : uint8_t { kPass, kDrop, kReject, kAlert };

// Which payload a rule of TCP looks at (others: always the packet's).
enum class TcpScope : uint8_t {
  kPacket,  // each packet's own payload: tcp-pkt, flow:no_stream, dsize, rules without payload
            // keywords
  kStream,  // the bytes in order, however they were cut: tcp-stream, flow:only_stream, content
            // without positions
  kBoth,    // content with positions (offset, depth, startswith): either may match, as in Suricata
};

struct Content {
  std::string bytes;  // lower case if nocase
  bool nocase = false;
  bool negated = false;
  bool relative = false;  // distance or within: counts from the end of the match before
  bool ends = false;      // endswith
  bool fast_pattern = false;
  bool positioned = false;  // offset, depth or startswith
  uint32_t offset = 0;
  std::optional<uint32_t> depth;  // from offset
  int32_t distance = 0;
  std::optional<uint32_t> within;  // from the end of the match before, plus distance
  uint16_t chop_offset = 0;        // fast_pattern:offset,length
  uint16_t chop_length = 0;        // 0: all
};

struct Pcre {
  Regex regex;
  bool negated = false;
  bool relative = false;  // R
};

using PayloadMatch = std::variant<Content, Pcre>;

struct PayloadSize {
  uint32_t least = 0;
  uint32_t most = UINT32_MAX;
  bool outside = false;  // negated

  bool contains(size_t size) const { return (size >= least && size <= most) != outside; }
};

struct FlowOption {
  bool to_server = false;
  bool to_client = false;
  bool established = false;
  bool not_established = false;
  bool only_stream = false;
  bool no_stream = false;
};

struct Rule {
  Action action = Action::kAlert;
  uint8_t protocol = 0;  // 0: any IP; kProtocolIcmp stands for ICMPv6 too
  bool tcp_packet = false;
  bool tcp_stream = false;
  AddressList source, destination;
  PortList source_port, destination_port;
  bool both_ways = false;  // <>

  std::string msg;
  uint32_t sid = 0;
  uint32_t gid = 1;
  uint32_t rev = 0;
  std::string classtype;
  std::string category;
  int priority = 3;
  std::vector<std::pair<std::string, std::string>> references;  // type, value
  std::vector<std::pair<std::string, std::string>> metadata;    // key, value
  FlowOption flow;
  bool noalert = false;
  std::optional<PayloadSize> payload_size;
  std::vector<PayloadMatch> payload;  // in the order written
  TcpScope tcp_scope = TcpScope::kPacket;

  std::string file;
  int line = 0;
};

}  // namespace sluice::inspect
