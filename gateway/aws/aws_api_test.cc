// SPDX-License-Identifier: Apache-2.0
// Who may ask, and how answers look whatever happens.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/aws/aws_test_support.h"

namespace sluice::gateway {
namespace {

const std::vector<AccessKey> kKeys{{"WRITER", "secret-of-the-writer", true},
                                   {"READER", "secret-of-the-reader", false}};

// A second hand at signing: straight from the specification, for requests to "/" with Host h.
std::string sign(const std::string& id, const std::string& secret, const std::string& body,
                 const std::string& time, const std::string& service) {
  const auto hex = [](const std::string& bytes) {
    std::string out;
    for (const char c : bytes) {
      char two[3];
      std::snprintf(two, sizeof two, "%02x", static_cast<uint8_t>(c));
      out += two;
    }
    return out;
  };
  const auto digest = [&](const std::string& data) {
    std::string out(32, 0);
    EVP_Digest(data.data(), data.size(), reinterpret_cast<uint8_t*>(out.data()), nullptr,
               EVP_sha256(), nullptr);
    return hex(out);
  };
  const auto mac = [](const std::string& key, const std::string& data) {
    std::string out(32, 0);
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const uint8_t*>(data.data()), data.size(),
         reinterpret_cast<uint8_t*>(out.data()), nullptr);
    return out;
  };
  const std::string day = time.substr(0, 8);
  const std::string scope = day + "/xx-lab-1/" + service + "/aws4_request";
  const std::string canonical =
      "POST\n/\n\nhost:h\nx-amz-date:" + time + "\n\nhost;x-amz-date\n" + digest(body);
  const std::string key =
      mac(mac(mac(mac("AWS4" + secret, day), "xx-lab-1"), service), "aws4_request");
  return "AWS4-HMAC-SHA256 Credential=" + id + "/" + scope +
         ", SignedHeaders=host;x-amz-date, Signature=" +
         hex(mac(key, "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + digest(canonical)));
}

class KeysTest : public AwsTest {
 protected:
  KeysTest() : AwsTest({{"xx-lab-1", "000000000000"}, kKeys, false}) {}

  AwsAnswer ask(const AccessKey& key, const std::string& body,
                const std::string& service = "elasticloadbalancing") {
    const std::string time = "20261121T063101Z";  // unix_time
    const std::string signature = sign(key.id, key.secret, body, time, service);
    return AwsAnswer(
        post(body, {{"Host", "h"}, {"X-Amz-Date", time}, {"Authorization", signature}}));
  }
};

const char kDescribe[] = "Action=DescribeLoadBalancers&Version=2015-12-01";
const char kCreate[] =
    "Action=CreateLoadBalancer&Version=2015-12-01&Name=g&Type=gateway&Subnets.member.1=subnet-a";

TEST_F(KeysTest, KeysDecideWhatMayBeDone) {
  EXPECT_EQ(ask(kKeys[0], kDescribe).error(), "");
  EXPECT_EQ(ask(kKeys[1], kDescribe).error(), "");
  const AwsAnswer denied = ask(kKeys[1], kCreate);
  EXPECT_EQ(denied.error(), "AccessDenied");
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(plane.config().load_balancer("g"), nullptr);
  EXPECT_EQ(ask(kKeys[0], kCreate).error(), "");
  EXPECT_NE(plane.config().load_balancer("g"), nullptr);
  EXPECT_EQ(ask({"WRITER", "another-secret-than-that", true}, kDescribe).error(),
            "SignatureDoesNotMatch");
  EXPECT_EQ(ask({"NOBODY", "secret-of-the-writer", true}, kDescribe).error(),
            "InvalidClientTokenId");
  EXPECT_EQ(AwsAnswer(post(kDescribe)).error(), "MissingAuthenticationToken");
  unix_time += 301;
  EXPECT_EQ(ask(kKeys[0], kDescribe).error(), "SignatureDoesNotMatch");
}

TEST_F(KeysTest, AChangeIsTakenOnceFromOneSignature) {
  EXPECT_EQ(ask(kKeys[0], kCreate).error(), "");
  for (int i = 0; i < 2; i++) {
    const AwsAnswer again = ask(kKeys[0], kCreate);  // byte for byte the same
    EXPECT_EQ(again.error(), "PriorRequestNotComplete");
    EXPECT_EQ(again.status, 429);
    EXPECT_EQ(again.headers.at("Retry-After"), "1");
  }
  EXPECT_EQ(ask(kKeys[0], std::string(kCreate) + "&").error(), "");  // signed anew
  const char kSubnet[] =
      "Action=CreateTags&Version=2016-11-15&ResourceId.1=subnet-a&Tag.1.Key=a&Tag.1.Value=b";
  (void)ask(kKeys[0], kSubnet, "ec2");
  const AwsAnswer ec2 = ask(kKeys[0], kSubnet, "ec2");
  EXPECT_EQ(ec2.error(), "RequestLimitExceeded");
  EXPECT_EQ(ec2.status, 503);
  EXPECT_EQ(ec2.headers.at("Retry-After"), "1");
  // Reading again is no change, and a key that may not write uses nothing up.
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(ask(kKeys[0], kDescribe).error(), "");
    EXPECT_EQ(ask(kKeys[1], kCreate).error(), "AccessDenied");
  }
}

TEST_F(KeysTest, TheCredentialScopeChoosesTheService) {
  EXPECT_EQ(ask(kKeys[0], "Action=DescribeVpcs&Version=2016-11-15", "ec2").all("vpcSet/item/vpcId"),
            "vpc-lab vpc-other");
  EXPECT_EQ(ask(kKeys[1], "Action=GetCallerIdentity&Version=2011-06-15", "sts").at("Arn"),
            "arn:aws:iam::000000000000:user/READER");
  EXPECT_EQ(ask(kKeys[0], kDescribe, "ec2").error(), "InvalidAction");
  EXPECT_EQ(ask(kKeys[0], kDescribe, "iam").error(), "InvalidAction");
}

TEST_F(KeysTest, PagesAreOpenToThisMachineAndElsewhereNeedAKey) {
  HttpRequest request{"GET", "/metrics", "/metrics", "", "10.0.0.1", {}, "", {}};
  request.peer = *SocketAddress::parse("127.0.0.1", 1);
  EXPECT_FALSE(api.guard(request));
  request.peer = *SocketAddress::parse("10.0.0.2", 1);
  ASSERT_TRUE(api.guard(request));
  EXPECT_EQ(api.guard(request)->status, 403);
}

class KeylessTest : public AwsTest {};

TEST_F(KeylessTest, WebPagesCannotAskThroughABrowser) {
  EXPECT_EQ(AwsAnswer(post(kDescribe)).error(), "");
  EXPECT_EQ(AwsAnswer(post(kDescribe, {{"Origin", "http://evil.example"}})).error(),
            "AccessDenied");
  HttpRequest request{"GET", "/", "/", kDescribe, "evil.example", {}, "", {}};
  request.peer = *SocketAddress::parse("127.0.0.1", 1);
  EXPECT_EQ(AwsAnswer(api.answer(request)).error(), "AccessDenied");
  request.host_name = "localhost";
  EXPECT_EQ(AwsAnswer(api.answer(request)).error(), "");
  request.host_name = "[::1]";
  EXPECT_EQ(AwsAnswer(api.answer(request)).error(), "");
}

TEST_F(KeylessTest, EveryAnswerIsXmlWithARequestId) {
  const auto check = [](const HttpResponse& response, int status, const std::string& code) {
    const AwsAnswer answer(response);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.error(), code) << response.body;
    EXPECT_EQ(response.content_type, "text/xml");
    ASSERT_EQ(response.headers.size(), 1u);
    EXPECT_EQ(response.headers[0].first, "x-amzn-RequestId");
    EXPECT_EQ(response.headers[0].second.size(), 36u);
    EXPECT_NE(response.body.find(response.headers[0].second), std::string::npos);
  };
  check(post(kDescribe), 200, "");
  check(post("Action=Reboot&Version=2015-12-01"), 400, "InvalidAction");
  check(post("Action=DescribeLoadBalancers&Version=1999-01-01"), 400, "InvalidAction");
  check(post(""), 400, "InvalidAction");
  check(post("Action=%zz"), 400, "MalformedQueryString");
  check(post("Action=DescribeVpcs&Version=2016-11-15&Bogus=1"), 400, "UnknownParameter");
  check(AwsApi::error(413, "too long"), 413, "RequestEntityTooLarge");
  check(AwsApi::error(408, "too slow"), 408, "RequestTimeout");
  HttpRequest json{"POST", "/", "/", "", "127.0.0.1", {}, "{}", {}};
  json.peer = *SocketAddress::parse("127.0.0.1", 1);
  check(api.answer(json), 400, "MalformedQueryString");
}

TEST_F(KeylessTest, TheShapeIsTheOneClientsInsistOn) {
  const std::string body = post(kDescribe).body;
  EXPECT_TRUE(
      body.starts_with("<DescribeLoadBalancersResponse "
                       "xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">"
                       "<DescribeLoadBalancersResult><LoadBalancers><member>"))
      << body;
  EXPECT_NE(body.find("</DescribeLoadBalancersResult><ResponseMetadata><RequestId>"),
            std::string::npos);
  const std::string vpcs = post("Action=DescribeVpcs&Version=2016-11-15").body;
  EXPECT_TRUE(
      vpcs.starts_with("<DescribeVpcsResponse "
                       "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>"))
      << vpcs;
  const std::string error = post("Action=DescribeVpcs&Version=2016-11-15&VpcId.1=x").body;
  EXPECT_TRUE(
      error.starts_with("<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>"))
      << error;
}

}  // namespace
}  // namespace sluice::gateway
