// SPDX-License-Identifier: Apache-2.0
// The option keywords that rules may use. A keyword that is not in the table refuses its rule.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/rules/classification.h"
#include "inspect/rules/notes.h"
#include "inspect/rules/rule.h"
#include "inspect/rules/sources.h"
#include "inspect/rules/text.h"
#include "tunnels/result.h"

namespace sluice::inspect {

// A rule while its options are read, left to right.
struct RuleDraft {
  Rule& rule;
  const Classification& classification;
  Names& names;
  const RuleSources& sources;
  bool priority_given = false;
  bool sid_given = false;
  uint32_t once_given = 0;                 // which of check_once()
  uint32_t payload_size_max = UINT32_MAX;  // dsize
  std::string_view keyword;                // the one being applied

  // Where content goes: behind a sticky buffer there, else to the payload.
  std::optional<size_t> sticky;  // index into rule.parts
  bool in_base64 = false;        // ... into what base64_decode gave there
  // Where the last content went, for its modifiers: the index of its part, and whether it is
  // inside a Base64.
  std::optional<size_t> last_part;
  bool last_in_base64 = false;
  std::vector<std::string> variables;  // of byte_extract and byte_math, by number

  // The matches that the next one joins; the payload's part is made when needed.
  std::vector<BufferMatch>& matches();
  std::vector<BufferMatch>& matches_of(size_t part);
  // The content that was added last and has not been followed by another buffer; nullptr: none.
  Content* last_content();
  Result<> add(BufferMatch match);
  // The part about a buffer without transforms; made when needed.
  size_t part_of(Buffer buffer);
};

enum class KeywordValue : uint8_t { kNone, kRequired, kOptional };

struct Keyword {
  std::string_view name;
  KeywordValue value;
  Result<> (*apply)(RuleDraft& draft, std::string_view value);
  std::string_view meaning;  // for docs/rules.md
};

// Of one rule.
inline constexpr size_t kPartsMax = 32;
inline constexpr size_t kMatchesMax = 64;

// By name; buffers and transformations are keywords too. nullptr: not supported.
const Keyword* find_keyword(std::string_view name);

// The tables, in the order of the documentation.
struct KeywordGroup {
  std::string_view title;
  std::span<const Keyword> keywords;
};
const std::vector<KeywordGroup>& keyword_groups();

std::span<const Keyword> rule_keywords();      // msg, sid, flow ...
std::span<const Keyword> payload_keywords();   // content and its modifiers, pcre, dsize
std::span<const Keyword> byte_keywords();      // byte_test, isdataat, bsize ...
std::span<const Keyword> packet_keywords();    // ttl, flags, itype ...
std::span<const Keyword> fragment_keywords();  // fragbits, fragoffset
std::span<const Keyword> checksum_keywords();  // ipv4-csum, tcpv4-csum ...
std::span<const Keyword> ftp_keywords();       // ftp.mode, ftp.dynamic_port, ftpbounce
std::span<const Keyword> dns_keywords();       // dns.opcode, dns.rcode, dns.rrtype
std::span<const Keyword> tls_keywords();       // ssl_version, tls.version
std::span<const Keyword> file_keywords();      // filename, filesize, filemd5 ...
std::span<const Keyword> ndpi_keywords();      // ndpi-protocol, ndpi-risk
std::span<const Keyword> event_keywords();     // app-layer-event, stream-event
std::span<const Keyword> dataset_keywords();   // dataset, datarep, iprep
std::span<const Keyword> state_keywords();     // flowbits, xbits, threshold ...

// The keyword that a buffer's name or a transformation's is; nullptr: neither.
const Keyword* find_buffer_keyword(std::string_view name);

// Contradictions that only the whole rule shows, and what the rule looks at.
Result<> finish_rule(RuleDraft& draft);

// An error if the rule's header is of another protocol than the only one that has what is asked
// for.
Result<> check_protocol(const Rule& rule, uint8_t protocol);

// By the name in a rule's header: "http" is two of them, "ssl" is TLS.
Result<std::vector<AppProtocol>> app_protocols_of(std::string_view name);

// "N", "!N", "<N", ">N", "N<>M" (both excluded), "<=N", ">=N", "N-M" (both included).
Result<SizeRange> size_range(std::string_view value, uint32_t most);
// A number, or the name of a variable that stands before.
Result<Operand> operand(const RuleDraft& draft, std::string_view text, int64_t least, int64_t most);

}  // namespace sluice::inspect
