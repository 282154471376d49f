// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4 in a request's Authorization header: who sent it, proved by a key that
// both sides know.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/api/http_message.h"
#include "gateway/aws/aws_error.h"
#include "gateway/control/model.h"

namespace sluice::gateway {

constexpr int64_t kSignatureSkewMaxS = 300;
constexpr size_t kSignedHeadersMax = 64;

// "AWS4-HMAC-SHA256 Credential=ID/20150830/REGION/SERVICE/aws4_request, SignedHeaders=a;b,
// Signature=..." taken apart; views of the header.
struct Authorization {
  std::string_view key_id, date, region, service;
  std::string_view scope;           // date/region/service/aws4_request
  std::string_view signed_headers;  // as sent
  std::string_view signature;       // 64 hexadecimal digits
};
std::optional<Authorization> parse_authorization(std::string_view header);

struct Signer {
  const AccessKey* key = nullptr;
  std::string_view signature;  // view of the header
  int64_t signed_s = 0;        // Unix time
};

// Who signed the request, not more than five minutes before or after `now_s` (Unix time). The error
// is one of AWS's codes, with status 403.
AwsResult<Signer> verify_signature(const HttpRequest& request, std::span<const AccessKey> keys,
                                   int64_t now_s);

}  // namespace sluice::gateway
