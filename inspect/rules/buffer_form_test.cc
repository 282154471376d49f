// SPDX-License-Identifier: Apache-2.0
// Contents that their buffer can never hold.
#include "inspect/rules/buffer_form.h"

#include <gtest/gtest.h>

#include "inspect/rules/parser.h"

namespace sluice::inspect {
namespace {

Result<Rule> parse(const std::string& options) {
  static const Variables variables = default_variables();
  static const Classification classification = default_classification();
  static Names names;
  return parse_rule("alert ip any any -> any any (" + options + " sid:1;)", variables,
                    classification, names);
}

// "": taken.
std::string refusal(const std::string& options) {
  const auto rule = parse(options);
  return rule ? "" : rule.error().what;
}

const std::string kDigest(32, 'a');

TEST(BufferForm, WhatABufferNeverHoldsRefusesTheRule) {
  const struct {
    std::string options;
    std::string refusal;
  } kTable[] = {
      {"http.host; content:\"evil.org\";", ""},
      {"http.host; content:\"Evil.org\"; nocase;", ""},
      {"http.host; content:\"Evil.org\";",
       "http.host: content 'Evil.org' has capitals where all letters are lower case"},
      {"http.host; content:!\"Evil.org\";",
       "http.host: content 'Evil.org' has capitals where all letters are lower case"},
      {"content:\"Evil.org\"; http_host;",
       "http.host: content 'Evil.org' has capitals where all letters are lower case"},
      {"http.host; dotprefix; content:\".Evil\";",
       "http.host: content '.Evil' has capitals where all letters are lower case"},
      {"http.host; to_uppercase; content:\"EVIL\";", ""},
      {"http.host; xor:\"0d\"; content:\"EVIL\";", ""},
      {"http.host.raw; content:\"Evil.org\";", ""},
      {"http.method; content:\"GET\";", ""},
      {"http.method; content:\"GET \";",
       "http.method: content 'GET ' begins or ends with a blank where nothing does"},
      {"content:\"|09|GET\"; http_method;",
       "http.method: content '.GET' begins or ends with a blank where nothing does"},
      {"http.protocol; content:\"HTTP/1.0\";", ""},
      {"http.protocol; content:\"HTTP/1.0 2\";",
       "http.protocol: content 'HTTP/1.0 2' has blanks where there are none"},
      {"ja3.hash; content:\"" + kDigest + "\";", ""},
      {"ja3.hash; content:\"" + kDigest + "0\";",
       "ja3.hash: content '" + kDigest + "0' has more than 32 bytes, which is all there ever is"},
      {"ja3s.hash; content:\"zz\";", "ja3s.hash: content 'zz' is not of hex digits"},
      {"ssh.hassh.server; content:\"ab:cd\";",
       "ssh.hassh.server: content 'ab:cd' is not of hex digits"},
      {"tls.cert_serial; content:\"0A:bc\";", ""},
      {"tls.cert_serial; content:\"B\";", ""},
      {"tls.cert_serial; content:\":bc:\";", ""},
      {"tls.cert_serial; content:\"0abc\";",
       "tls.cert_serial: content '0ABC' is not of pairs of hex digits with colons between"},
      {"tls.cert_fingerprint; content:\"4A:a3\";", ""},
      {"tls.cert_fingerprint; content:\"4Aa3\";",
       "tls.cert_fingerprint: content '4aa3' is not of pairs of hex digits with colons between"},
      {"tls.random_time; content:\"12345\";",
       "tls.random_time: content '12345' has more than 4 bytes, which is all there ever is"},
      {"http.uri; to_lowercase; content:\"/A\";",
       "http.uri: content '/A' has capitals where all letters are lower case"},
      {"http.uri; to_lowercase; url_decode; content:\"/A\";", ""},
      {"http.uri; to_uppercase; content:\"/a\";",
       "http.uri: content '/a' has lower-case letters where all are capitals"},
      {"http.uri; strip_whitespace; content:\"a b\";",
       "http.uri: content 'a b' has blanks where there are none"},
      {"http.uri; compress_whitespace; content:\"a b\";", ""},
      {"http.uri; compress_whitespace; content:\"a  b\";",
       "http.uri: content 'a  b' has blanks in a row where there are none"},
      {"http.uri; to_md5; content:\"" + kDigest + "\";",
       "http.uri: content '" + kDigest + "' has more than 16 bytes, which is all there ever is"},
  };
  for (const auto& row : kTable) EXPECT_EQ(refusal(row.options), row.refusal) << row.options;
}

TEST(BufferForm, ContentsThatDoNotFitInTheSizeRefuseTheRule) {
  const struct {
    const char* options;
    const char* refusal;
  } kTable[] = {
      {"http.uri; content:\"/abc\"; bsize:4;", ""},
      {"http.uri; content:\"/abc\"; bsize:3;",
       "http.uri: content that ends at byte 4 or later never is in a buffer of at most 3 bytes"},
      {"urilen:<4; http.uri; content:\"/abc\";",
       "http.uri: content that ends at byte 4 or later never is in a buffer of at most 3 bytes"},
      {"urilen:3,raw; http.uri; content:\"/abc\";", ""},
      {"http.uri; content:!\"/abc\"; bsize:3;", ""},
      {"http.uri; content:\"/abc\"; bsize:!3;", ""},
      {"http.uri; content:\"ab\"; offset:2; content:\"cd\"; distance:3; bsize:<10;", ""},
      {"http.uri; content:\"ab\"; offset:2; content:\"cd\"; distance:4; bsize:<10;",
       "http.uri: content that ends at byte 10 or later never is in a buffer of at most 9 bytes"},
      {"http.uri; content:\"ab\"; content:\"cd\"; distance:-4; bsize:2;", ""},
      {"http.uri; content:\"abcdef\"; byte_jump:1,0; content:\"cd\"; distance:0; bsize:6;", ""},
      {"http.uri; bsize:2; content:\"a\"; bsize:5;", "http.uri: sizes of which no buffer has both"},
      {"dsize:2; content:\"abc\";",
       "pkt_data: content that ends at byte 3 or later never is in a buffer of at most 2 bytes"},
  };
  for (const auto& row : kTable) EXPECT_EQ(refusal(row.options), row.refusal) << row.options;
}

TEST(BufferForm, DigestsAreComparedInTheCaseTheyAreWrittenIn) {
  const auto bytes_of = [](const char* options) {
    const auto rule = parse(options);
    return rule ? std::get<Content>(rule->parts[0].matches[0]).bytes : rule.error().what;
  };
  EXPECT_EQ(bytes_of("ja3.hash; content:\"AB01\";"), "ab01");
  EXPECT_EQ(bytes_of("ssh.hassh; content:\"AB01\";"), "ab01");
  EXPECT_EQ(bytes_of("tls.cert_fingerprint; content:\"AB:01\";"), "ab:01");
  EXPECT_EQ(bytes_of("tls.cert_serial; content:\"ab:01\";"), "AB:01");
}

TEST(BufferForm, ARegularExpressionNeedsNoCapitalsWhereThereAreNone) {
  const std::string kRefused = "pcre: asks for a capital where all letters are lower case";
  for (const char* never : {"http.host; pcre:\"/Evil/\";", "pcre:\"/^Evil\\.org$/W\";",
                            "http.host; pcre:\"/(?:Evil)/\";", "http.host; pcre:\"/[a-z]E+/\";",
                            "http.host; pcre:\"/[[:digit:]]Evil/\";"})
    EXPECT_EQ(refusal(never), kRefused) << never;
  for (const char* may :
       {"http.host; pcre:\"/Evil/i\";", "http.host; pcre:\"/[A-Za-z]+\\S\\D/\";",
        "http.host; pcre:\"/(Evil|evil)/\";", "http.host; pcre:\"/a(?i)Evil/\";",
        "http.host; pcre:\"/E?vil/\";", "http.host; pcre:\"/(E)*vil/\";",
        "http.host; pcre:\"/[]A]x/\";", "http.host; pcre:\"/[[:alpha:]A-Z]x/\";",
        "http.host; pcre:!\"/Evil/\";", "http.host; pcre:\"/\\p{Lu}?x/\";", "pcre:\"/Evil/\";",
        "http.host.raw; pcre:\"/Evil/\";", "http.uri; pcre:\"/Evil/\";"})
    EXPECT_EQ(refusal(may), "") << may;
}

}  // namespace
}  // namespace sluice::inspect
