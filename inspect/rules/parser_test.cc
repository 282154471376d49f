// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/parser.h"

#include <gtest/gtest.h>

#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

Result<Rule> parse(std::string_view text) {
  static const Variables variables = default_variables();
  static const Classification classification = default_classification();
  static Names names;
  return parse_rule(text, variables, classification, names);
}

Result<Rule> parse_options(const std::string& options) {
  return parse("alert tcp any any -> any any (" + options + " sid:1;)");
}

std::string error_of(const std::string& options) {
  const auto rule = parse_options(options);
  return rule ? "accepted" : rule.error().what;
}

const Content& content(const Rule& rule, size_t i) {
  return std::get<Content>(rule.payload()->matches[i]);
}

constexpr std::string_view kFull =
    R"(drop tcp $EXTERNAL_NET [1024:, !2000] -> [$HOME_NET, ![10.1.0.0/16]] $HTTP_PORTS )"
    R"((msg:"a \"quoted\"\; name"; flow:established,to_server; content:"GET |2f 41|"; nocase; depth:10; )"
    R"(content:!"x|3B|y"; distance:1; within:20; pcre:"/ab;c\/\d+/iR"; fast_pattern; classtype:web-application-attack; )"
    R"(reference:url,example.com/a?b=c; metadata:created_at 2024_01_01, deployment Perimeter; sid:77; gid:3; rev:9;))";

TEST(RuleParser, ReadsAWholeRule) {
  std::string text(kFull);
  text.replace(text.find(" fast_pattern;"), 14, "");
  const auto parsed = parse(text);
  ASSERT_TRUE(parsed) << parsed.error().what;
  const Rule& rule = *parsed;
  EXPECT_EQ(rule.action, Action::kDrop);
  EXPECT_EQ(rule.protocol, 6);
  EXPECT_EQ(rule.msg, "a \"quoted\"; name");
  EXPECT_EQ(rule.sid, 77u);
  EXPECT_EQ(rule.gid, 3u);
  EXPECT_EQ(rule.rev, 9u);
  EXPECT_EQ(rule.category, "Web Application Attack");
  EXPECT_EQ(rule.priority, 1);
  EXPECT_TRUE(rule.flow.established && rule.flow.to_server && !rule.flow.to_client);
  ASSERT_EQ(rule.payload()->matches.size(), 3u);
  EXPECT_EQ(content(rule, 0).bytes, "get /a");
  EXPECT_EQ(content(rule, 0).depth->value, 10);
  EXPECT_EQ(content(rule, 1).bytes, "x;y");
  EXPECT_TRUE(content(rule, 1).negated && content(rule, 1).relative);
  EXPECT_TRUE(std::get<Pcre>(rule.payload()->matches[2]).relative);
  EXPECT_EQ(rule.scope, Scope::kBoth);
  EXPECT_EQ(rule.metadata[1], (std::pair<std::string, std::string>{"deployment", "Perimeter"}));
  EXPECT_EQ(rule.references[0].second, "example.com/a?b=c");
}

TEST(RuleParser, WhereATcpRuleLooks) {
  EXPECT_EQ(parse_options("content:\"a\";")->scope, Scope::kStream);
  EXPECT_EQ(parse_options("content:\"a\"; startswith;")->scope, Scope::kBoth);
  EXPECT_EQ(parse_options("content:\"a\"; dsize:4;")->scope, Scope::kPacket);
  EXPECT_EQ(parse_options("content:\"a\"; offset:1; flow:only_stream;")->scope, Scope::kStream);
  EXPECT_EQ(parse_options("flow:established;")->scope, Scope::kPacket);
  EXPECT_EQ(parse("alert tcp-pkt any any -> any any (content:\"a\"; sid:1;)")->scope,
            Scope::kPacket);
}

TEST(RuleParser, WhatTheProtocolOfTheHeaderNeverHas) {
  const struct {
    const char *protocol, *options, *error;
  } kTable[] = {
      {"udp", "flags:S;", "flags: only TCP has it"},
      {"icmp", "stream_size:both,>,1;", "stream_size: only TCP has it"},
      {"udp", "tcp.mss:<9;", "tcp.mss: only TCP has it"},
      {"tcp", "itype:8;", "itype: only ICMP has it"},
      {"udp", "icmp_id:8;", "icmp_id: only ICMP has it"},
      {"udp", "tcp.hdr; content:\"a\";", "tcp.hdr: only TCP has it"},
      {"tcp", "udp.hdr; content:\"a\";", "udp.hdr: only UDP has it"},
      {"udp", "icmpv4.hdr; content:\"a\";", "icmpv4.hdr: only ICMP has it"},
      {"udp", "http.uri; content:\"a\";", "http.uri: http does not go over UDP"},
      {"icmp", "dns.query; content:\"a\";", "dns.query: dns does not go over ICMP"},
  };
  for (const auto& row : kTable) {
    const auto rule = [&](const std::string& protocol) {
      return parse("alert " + protocol + " any any -> any any (" + row.options + " sid:1;)");
    };
    const auto refused = rule(row.protocol);
    ASSERT_FALSE(refused) << row.options;
    EXPECT_EQ(refused.error().text(), row.error);
    EXPECT_TRUE(rule("ip")) << row.options;
  }
  for (const char* good : {"alert udp any any -> any any (dns.query; content:\"a\"; sid:1;)",
                           "alert tcp any any -> any any (dns.query; content:\"a\"; sid:1;)"})
    EXPECT_TRUE(parse(good)) << good;
}

TEST(RuleParser, WhatIsRelativeToAMovedContentFollowsIt) {
  for (const char* options :
       {"content:\"a\"; http_uri; isdataat:3,relative;",
        "uricontent:\"a\"; byte_test:1,>,1,0,relative;",
        "content:\"a\"; http_uri; base64_decode:relative; base64_data; content:\"b\";"}) {
    const auto rule = parse_options(options);
    ASSERT_TRUE(rule) << options << rule.error().what;
    EXPECT_EQ(rule->payload(), nullptr) << options;
    ASSERT_EQ(rule->parts.size(), 1u) << options;
    EXPECT_EQ(rule->parts[0].matches.size(), 2u) << options;
  }
}

TEST(RuleParser, EveryFormOfAnOption) {
  EXPECT_EQ(content(*parse_options(R"(content:"a\;\"\\\:|00 fF|b";)"), 0).bytes,
            std::string("a;\"\\:\0\xff"
                        "b",
                        8));
  EXPECT_EQ(content(*parse_options("content:\"abcd\"; fast_pattern:1,2;"), 0).chop_length, 2);
  for (const char* good :
       {"content:\"a\"; fast_pattern:only;", "content:\"a\"; rawbytes;", "noalert;",
        "content:\"a\"; endswith;", "priority:4;", "flow:stateless;",
        "flow:from_server,not_established;", "pcre:!\"/a/smxAEGi\";", "dsize:!0;"})
    EXPECT_EQ(error_of(good), "accepted") << good;
  const auto between = size_range("10<>13", 100);
  EXPECT_TRUE(between->contains(11) && between->contains(12));
  EXPECT_FALSE(between->contains(10) || between->contains(13));
  EXPECT_TRUE(size_range("<5", 100)->contains(4));
  EXPECT_FALSE(size_range(">5", 100)->contains(5));
  const auto dash = size_range("3-5", 100);
  EXPECT_TRUE(dash->contains(4));
  EXPECT_FALSE(dash->contains(3) || dash->contains(5));
  EXPECT_TRUE(size_range("!3", 100)->contains(4));
}

TEST(RuleParser, ABufferTakesWhatFollowsIt) {
  const auto rule = parse(
      "alert http any any -> any any (content:\"raw\"; http.uri; content:\"/a\"; nocase; "
      "http.host; "
      "dotprefix; content:\".x.org\"; endswith; pkt_data; content:\"more\"; http.uri; "
      "content:\"b\"; distance:1; sid:1;)");
  ASSERT_TRUE(rule) << rule.error().what;
  ASSERT_EQ(rule->parts.size(), 3u);
  EXPECT_EQ(rule->payload()->matches.size(), 2u);
  EXPECT_EQ(rule->parts[1].buffer, Buffer::kHttpUri);
  EXPECT_EQ(rule->parts[1].matches.size(), 2u) << "both mentions of http.uri are one";
  EXPECT_EQ(rule->parts[2].transforms.size(), 1u);
  EXPECT_EQ(rule->scope, Scope::kTransaction);
}

TEST(RuleParser, ATransformationChangesWhatFollowsIt) {
  const auto rule = parse_options(
      "http.uri; content:\"/A\"; to_lowercase; content:\"/a\"; dotprefix; content:\"./a\";");
  ASSERT_TRUE(rule) << rule.error().what;
  ASSERT_EQ(rule->parts.size(), 3u);
  for (size_t i = 0; i < 3; i++) EXPECT_EQ(rule->parts[i].transforms.size(), i);
}

TEST(RuleParser, APatternNeedsNoQuotes) {
  const auto rule = parse_options("pcre:/\\.\\/a/I; pcre:!/b/U;");
  ASSERT_TRUE(rule) << rule.error().what;
  ASSERT_EQ(rule->parts.size(), 2u);
  EXPECT_EQ(rule->parts[0].buffer, Buffer::kHttpUriRaw);
  EXPECT_TRUE(std::get<Pcre>(rule->parts[1].matches[0]).negated);
}

TEST(RuleParser, AFlagMovesAPatternFromWhereItWasAdded) {
  for (const char* options :
       {"content:\"id=\"; http_uri; pcre:\"/^x/UR\";", "uricontent:\"id=\"; pcre:\"/^x/UR\";",
        "content:\"zz\"; content:\"id=\"; http_uri; pcre:\"/^x/UR\";",
        "content:\"id=\"; http_header; uricontent:\"z\"; pcre:\"/^x/UR\";",
        "uricontent:\"z\"; content:\"id=\"; http_header; pcre:\"/^x/UR\";"}) {
    const auto rule = parse_options(options);
    ASSERT_TRUE(rule) << options << ": " << rule.error().what;
    for (const RulePart& part : rule->parts) {
      if (part.matches.empty()) continue;
      const bool uri = part.buffer == Buffer::kHttpUri;
      EXPECT_EQ(part.matches.size(), uri ? 2u : 1u) << options << ": " << info_of(part.buffer).name;
      EXPECT_EQ(std::holds_alternative<Pcre>(part.matches.back()), uri) << options;
    }
  }
}

TEST(RuleParser, WhatLooksAtDecodedBytesMovesNowhere) {
  for (const char* behind : {"content:\"a\"; http_uri; pcre:\"/b/R\";", "uricontent:\"a\";",
                             "content:\"a\"; pcre:\"/b/UR\";"})
    EXPECT_FALSE(parse_options(std::string("base64_decode; base64_data; ") + behind)) << behind;
}

TEST(RuleParser, AnOldModifierMovesTheContentBeforeIt) {
  const auto rule = parse_options(
      "content:\"GET\"; http_method; nocase; content:\"/a\"; http_uri; content:\"raw\"; "
      "pcre:\"/x/Ui\"; uricontent:\"z\";");
  ASSERT_TRUE(rule) << rule.error().what;
  ASSERT_EQ(rule->parts.size(), 3u);
  EXPECT_EQ(rule->payload()->matches.size(), 1u);
  for (const RulePart& part : rule->parts) {
    const size_t wanted = part.buffer == Buffer::kHttpUri ? 3 : 1;
    EXPECT_EQ(part.matches.size(), wanted) << info_of(part.buffer).name;
  }
  for (const RulePart& part : rule->parts) {
    if (part.buffer != Buffer::kHttpMethod) continue;
    EXPECT_TRUE(std::get<Content>(part.matches[0]).nocase) << "modifiers still reach it";
  }
  EXPECT_EQ(rule->app_protocols,
            (std::vector<AppProtocol>{AppProtocol::kHttp1, AppProtocol::kHttp2}));
}

struct Refusal {
  const char* options;
  const char* error;
};

TEST(RuleParser, RefusesByNameWhatItDoesNotHonour) {
  for (const char* name :
       {"lua", "geoip", "filestore", "asn1", "filemagic", "tag", "replace", "bogus"})
    EXPECT_EQ(error_of(std::string(name) + ":1;"),
              "keyword '" + std::string(name) + "' is not supported");
}

TEST(RuleParser, OneClearErrorEach) {
  const Refusal kTable[] = {
      {"content:\"\";", "content: empty"},
      {"ipopts:lost;", "ipopts: 'lost' is no option of IPv4 that is known here"},
      {"engine-event:no.such;",
       "engine-event: 'no.such' begins neither with stream. nor with decoder."},
      {"ftp.mode:fast;", "ftp.mode: the mode is active or passive"},
      {"tls_cert_notafter:20-10;",
       "tls_cert_notafter: '20-10' is no time like 2015-10-22 23:59:59"},
      {"tls_cert_notbefore:2016<>2015;", "tls_cert_notbefore: the later time comes last"},
      {"content:abc;", "content: needs a text in double quotes"},
      {"content:\"|4|\";", "content: bytes between | are not pairs of hex digits"},
      {"content:\"|41\";", "content: | without a second one"},
      {"content:\"a\\n\";", "content: \\ escapes only \\ \" ; :"},
      {"content;", "content: needs a value"},
      {"nocase;", "nocase: no content before it"},
      {"pcre:\"/a/\"; nocase;", "nocase: no content before it"},
      {"content:\"a\"; nocase:1;", "nocase: takes no value"},
      {"content:\"abc\"; depth:2;", "depth: smaller than the content itself"},
      {"content:\"abc\"; within:2;", "within: smaller than the content itself"},
      {"content:\"abc\"; depth:x;", "depth: 'x' is not a number from 1 to 65535"},
      {"content:\"abc\"; distance:name;",
       "distance: 'name' is not a number from -1048576 to 1048576"},
      {"content:\"a\"; offset:1; startswith;", "startswith: does not go with offset or depth"},
      {"content:\"a\"; startswith; offset:1;", "offset: does not go with startswith"},
      {"content:\"a\"; startswith; depth:1;", "depth: does not go with startswith"},
      {"content:!\"a\"; fast_pattern;", "fast_pattern: a negated content cannot be it"},
      {"content:\"abc\"; fast_pattern:2,2;",
       "fast_pattern: offset and length reach past the content"},
      {"content:\"a\"; fast_pattern; content:\"b\"; fast_pattern;",
       "fast_pattern: more than one in the rule"},
      {"content:\"a\"; offset:1; distance:1;",
       "offset, depth or startswith together with distance or within on one content"},
      {"pcre:\"/a/k\";", "pcre: flag 'k' is not supported"},
      {"pcre:\"a\";", "pcre: needs /pattern/flags"},
      {"pcre:\"/(/\";", "pcre: missing closing parenthesis at offset 1"},
      {"flow:to_server,to_client;", "flow: both to_server and to_client"},
      {"flow:no_frag;", "flow: 'no_frag' is not supported"},
      {"priority:0;", "priority: '0' is not a number from 1 to 255"},
      {"msg:\"open;", "an option is not closed with ;"},
      {"dsize:5<>6;", "dsize: nothing lies between"},
      {"content:\"a\"; http_uri; content:\"b\"; distance:x;",
       "distance: 'x' is not a number from -1048576 to 1048576"},
      {"http_uri;", "http_uri: no content before it"},
      {"dotprefix;", "dotprefix: needs a sticky buffer before it"},
      {"http.uri; xor:offset 1; content:\"a\";",
       "xor: needs a key as hex digits, or 'extract LENGTH PLACE'"},
      {"http.uri; xor:key 1; content:\"a\";", "xor: 'key' is not supported"},
      {"http.uri; from_base64:mode mime; content:\"a\";",
       "from_base64: 'mode' is not supported, or not with this value"},
      {"http.uri; from_base64:bytes 0; content:\"a\";",
       "from_base64: '0' is not a number from 1 to 65535"},
      {"flow:to_client; http.uri; content:\"a\";",
       "http.uri does not occur in the direction that flow asks for"},
      {"http.uri; content:\"a\"; dns.query; content:\"b\";", "dns.query does not occur in http"},
      {"bsize:1;", "bsize: needs a sticky buffer before it"},
      {"base64_data; content:\"a\";", "base64_data: needs base64_decode before it"},
      {"byte_test:9,>,1,0;", "byte_test: reads 1 to 8 bytes"},
      {"byte_test:1,~,1,0;", "byte_test: operator '~' is not one of < > = <= >= & ^"},
      {"byte_test:1,>,name,0;", "byte_test: 'name' is not a number from 0 to 9223372036854775807"},
      {"byte_math:bytes 1, offset 0, oper /, rvalue 0, result a;", "byte_math: divides by 0"},
      {"byte_math:bytes 1, offset 0, result a;", "byte_math: needs oper, once"},
      {"byte_math:bytes 1, offset 0, oper +, rvalue 1, rvalue 2, result a;",
       "byte_math: needs rvalue, once"},
      {"byte_extract:4,0,a,align 3;", "byte_extract: align: 2 or 4"},
      {"http.cookie;", "http.cookie: nothing behind it says what to look for in it"},
      {"http.host; to_sha256;", "http.host: nothing behind it says what to look for in it"},
      {"http.uri; content:\"a\"; file.data;",
       "file.data: nothing behind it says what to look for in it"},
      {"dsize:1; dsize:2;", "dsize: given twice"},
      {"rev:1; rev:1;", "rev: given twice"},
      {"content:\"a\"; nocase; nocase;", "nocase: given twice"},
      {"content:\"a\"; depth:2; depth:3;", "depth: given twice"},
      {"content:\"a\"; offset:2; http_uri; offset:3;", "offset: given twice"},
      {"content:\"a\"; content:\"b\"; within:2; within:3;", "within: given twice"},
      {"byte_jump:1,0,from_end,from_beginning;", "byte_jump: from two places"},
      {"byte_test:4,=,1,0,string,hex,dec;", "byte_test: two bases"},
      {"byte_test:4,=,1,0,dec;", "byte_test: hex, dec and oct are for numbers in text: string"},
      {"flowbits:set,a|b;", "flowbits: needs a name without blanks or |"},
      {"msg:\"a\"; msg:\"b\";", "msg: given twice"},
      {"tos:x;", "tos: 'x' is not x and a hexadecimal number of up to xff"},
      {"tos:x100;", "tos: 'x100' is not x and a hexadecimal number of up to xff"},
      {"xbits:set,a,track ip_src,expire 10,more;", "xbits: takes command, name, track and expire"},
      {"hostbits:set,a,src,expire 10;", "hostbits: takes command, name and whose"},
      {"flowbits:set;", "flowbits: needs a name"},
      {"flowbits:change,a;", "flowbits: 'change' is not supported"},
      {"threshold:type both, track by_src, count 65537, seconds 9, unique_on src_port;",
       "threshold: unique_on tells at most 65536 values: a smaller count"},
      {"threshold:type limit, track by_src, count 65536, seconds 9, unique_on src_port;",
       "threshold: unique_on tells at most 65536 values: a smaller count"},
      {"detection_filter:track by_src, count 65536, seconds 9, unique_on dst_port;",
       "detection_filter: unique_on tells at most 65536 values: a smaller count"},
      {"threshold:type limit, track by_src, count 1;",
       "threshold: needs type, track, count and seconds"},
      {"xbits:set,a,track ip_all;", "xbits: 'ip_all' is not supported"},
      {"dns.rcode:16;", "dns.rcode: '16' is not a number from 0 to 15"},
      {"dns.opcode:x;", "dns.opcode: 'x' is not a number from 0 to 15"},
      {"dns.rrtype:1,0;", "dns.rrtype: '1,0' is not a number from 0 to 65535"},
      {"flags:SX;", "flags: 'X' is not one of FSRPAUEC120"},
      {"app-layer-protocol:gopher;",
       "app-layer-protocol: application protocol 'gopher' is not supported"},
      {"dsize:1; flow:only_stream;",
       "asks for the stream and for what only packets have (dsize, no_stream, tcp-pkt, no "
       "content)"},
  };
  for (const Refusal& row : kTable) EXPECT_EQ(error_of(row.options), row.error) << row.options;
}

TEST(RuleParser, RefusesHeadersItDoesNotHonour) {
  const Refusal kTable[] = {
      {"alert gopher any any -> any any (sid:1;)", "protocol 'gopher' is not supported"},
      {"log tcp any any -> any any (sid:1;)",
       "action 'log' is not supported (alert, drop, reject, rejectsrc, rejectdst, rejectboth, "
       "pass)"},
      {"alert tcp any any <- any any (sid:1;)", "direction '<-' is not supported (->, <>, =>)"},
      {"alert tcp any any -> any (sid:1;)",
       "the header is not 'action protocol source port -> destination port'"},
      {"alert tcp any any -> any any", "no (options) at the end"},
      {"alert tcp $NOPE any -> any any (sid:1;)", "unknown variable '$NOPE'"},
      {"alert tcp any any -> any any (msg:\"x\";)", "no sid"},
  };
  for (const Refusal& row : kTable) {
    const auto rule = parse(row.options);
    ASSERT_FALSE(rule) << row.options;
    EXPECT_EQ(rule.error().what, row.error);
  }
}

TEST(RuleParser, CutAnywhereItIsRefused) {
  for (size_t length = 0; length < kFull.size(); length++)
    EXPECT_FALSE(parse(kFull.substr(0, length))) << length;
}

TEST(RuleParser, LimitsHold) {
  std::string many;
  for (int i = 0; i < 65; i++) many += "content:\"a\"; ";
  EXPECT_EQ(error_of(many), "content: more than 64 content and the like in one rule");
  many.clear();
  for (size_t i = 0; i < kRuleOptionsMax; i++) many += "noalert; ";
  EXPECT_EQ(error_of(many), "more than 256 options");
  EXPECT_EQ(error_of("content:\"" + std::string(256, 'a') + "\";"),
            "content: longer than 255 bytes");
  EXPECT_EQ(error_of("msg:\"" + std::string(kRuleLengthMax, 'a') + "\";"),
            "rule longer than 16384 bytes");
}

}  // namespace
}  // namespace sluice::inspect
