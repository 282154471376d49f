// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/signature.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

constexpr int64_t kNow = 1795242661;  // 2026-11-21T06:31:01Z
const std::vector<AccessKey> kKeys{
    {"OTHER", "x", false}, {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", true}};

std::string authorization(const std::string& service, const std::string& rest) {
  return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/xx-lab-1/" + service +
         "/aws4_request, SignedHeaders=" + rest;
}

struct Sent {
  std::string method = "POST";
  std::string path = "/";
  std::string query;
  std::string body = "Action=DescribeLoadBalancers&Version=2015-12-01";
  std::vector<std::pair<std::string, std::string>> headers;

  std::string code(int64_t now_s = kNow) const {
    std::vector<HttpHeader> views;
    views.reserve(headers.size());
    for (const auto& [name, value] : headers) views.push_back({name, value});
    HttpRequest request{method, {}, path, query, {}, views, body, {}};
    const auto key = verify_signature(request, kKeys, now_s);
    return key ? "signed by " + key->key->id : key.error().code;
  }
  std::string& header(const std::string& name) {
    for (auto& [known, value] : headers)
      if (known == name) return value;
    return headers.emplace_back(name, "").second;
  }
};

// Signed by botocore 1.29.
Sent post() {
  Sent sent;
  sent.headers = {
      {"Host", "127.0.0.1:9400"},
      {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
      {"User-Agent", "aws-cli"},
      {"X-Amz-Date", "20261121T063101Z"},
      {"Authorization",
       authorization("elasticloadbalancing",
                     "content-type;host;x-amz-date, Signature="
                     "557d97c65eedd357f3ecaa9c27d2058139c85efb2d9ddc403c7e0c39f349dc03")}};
  return sent;
}

TEST(SignatureTest, AcceptsWhatBotocoreSigns) {
  EXPECT_EQ(post().code(), "signed by AKIDEXAMPLE");

  Sent get;
  get.method = "GET";
  get.path = "/a%20b/x";
  get.query = "Version=2015-12-01&Names.member.1=a+b~%2F&Action=DescribeLoadBalancers&Empty=";
  get.body = "";
  get.headers = {
      {"host", "127.0.0.1:9400"},
      {"x-amz-date", "20261121T063101Z"},
      {"authorization",
       authorization("elasticloadbalancing",
                     "host;x-amz-date, Signature="
                     "5ad27c92c3b10b200400dd51c8f5542cf26bec95a654347daedcb6dc3ccc2acf")}};
  EXPECT_EQ(get.code(), "signed by AKIDEXAMPLE");

  Sent odd;
  odd.body = "Action=DescribeVpcs&Version=2016-11-15";
  odd.headers = {
      {"Host", "[::1]:9400"},
      {"Content-Type", "application/x-www-form-urlencoded"},
      {"X-Odd", "a   b  c"},
      {"X-Amz-Date", "20261121T063101Z"},
      {"Authorization",
       authorization("ec2",
                     "content-type;host;x-amz-date;x-odd, Signature="
                     "2ca6e5e1038e4ed1d74c67a55690c7bcd28ee6d06280b5417d7f3f2fa4a670d0")}};
  EXPECT_EQ(odd.code(), "signed by AKIDEXAMPLE");
}

TEST(SignatureTest, EveryChangeOfWhatWasSignedIsSeen) {
  const auto changed = [](const std::function<void(Sent&)>& change) {
    Sent sent = post();
    change(sent);
    return sent.code();
  };
  const std::string no = "SignatureDoesNotMatch";
  EXPECT_EQ(changed([](Sent& s) { s.body += "&x=1"; }), no);
  EXPECT_EQ(changed([](Sent& s) { s.method = "GET"; }), no);
  EXPECT_EQ(changed([](Sent& s) { s.path = "/x"; }), no);
  EXPECT_EQ(changed([](Sent& s) { s.query = "a=b"; }), no);
  EXPECT_EQ(changed([](Sent& s) { s.header("Host") = "127.0.0.1:9401"; }), no);
  EXPECT_EQ(changed([](Sent& s) { s.header("X-Amz-Date") = "20261121T063102Z"; }), no);
  EXPECT_EQ(changed([](Sent& s) { s.header("User-Agent") = "other"; }), "signed by AKIDEXAMPLE");
  EXPECT_EQ(changed([](Sent& s) { s.header("X-Amz-Date") = "20261120T063101Z"; }),
            "IncompleteSignature");
  EXPECT_EQ(changed([](Sent& s) { s.headers.emplace_back("host", "b"); }), "IncompleteSignature");
  EXPECT_EQ(changed([](Sent& s) { s.headers.push_back(s.headers.back()); }), "IncompleteSignature");
  EXPECT_EQ(changed([](Sent& s) { s.headers.pop_back(); }), "MissingAuthenticationToken");
  const auto replaced = [&](const std::string& what, const std::string& by) {
    return changed([&](Sent& s) {
      std::string& header = s.header("Authorization");
      header.replace(header.find(what), what.size(), by);
    });
  };
  EXPECT_EQ(replaced("xx-lab-1", "xx-lab-2"), no);
  EXPECT_EQ(replaced("elasticloadbalancing", "ec2"), no);
  EXPECT_EQ(replaced("557d", "557e"), no);
  EXPECT_EQ(replaced("AKIDEXAMPLE", "OTHER"), no);
  EXPECT_EQ(replaced("AKIDEXAMPLE", "NOBODY"), "InvalidClientTokenId");
  EXPECT_EQ(replaced("host;", ""), "IncompleteSignature");
  EXPECT_EQ(replaced("content-type;host", "host;content-type"), "IncompleteSignature");
}

TEST(SignatureTest, FiveMinutesOfSkewAreAllowed) {
  EXPECT_EQ(post().code(kNow + 300), "signed by AKIDEXAMPLE");
  EXPECT_EQ(post().code(kNow - 300), "signed by AKIDEXAMPLE");
  EXPECT_EQ(post().code(kNow + 301), "SignatureDoesNotMatch");
  EXPECT_EQ(post().code(kNow - 301), "SignatureDoesNotMatch");
}

TEST(SignatureTest, AHeaderCutAtAnyByteIsIncomplete) {
  const std::string whole = post().header("Authorization");
  ASSERT_TRUE(parse_authorization(whole));
  for (size_t cut = 0; cut < whole.size(); cut++) {
    const std::unique_ptr<char[]> exact(new char[cut]);
    whole.copy(exact.get(), cut);
    EXPECT_FALSE(parse_authorization({exact.get(), cut})) << cut;
  }
  for (const char* bad : {"Basic eDp5", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ,,,",
                          "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=a, Signature=b"})
    EXPECT_FALSE(parse_authorization(bad)) << bad;
  EXPECT_FALSE(parse_authorization(whole + ", Signature=1"));
  EXPECT_FALSE(parse_authorization(whole + ", Other=1"));
}

}  // namespace
}  // namespace sluice::gateway
