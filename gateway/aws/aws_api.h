// SPDX-License-Identifier: Apache-2.0
// The AWS Query APIs over HTTP: finds out who asks, which service and action it is, and answers in
// XML whatever happens.
//
//   AwsApi api(plane, settings, unix_time);
//   server.set_fallback([&](const HttpRequest& r) { return api.answer(r); }, AwsApi::error);
//   server.set_guard([&](const HttpRequest& r) { return api.guard(r); });
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/api/http_message.h"
#include "gateway/aws/actions.h"
#include "gateway/aws/aws_error.h"
#include "gateway/aws/call.h"
#include "gateway/aws/replay_guard.h"
#include "gateway/aws/signature.h"

namespace sluice::gateway {

class ControlPlane;

struct AwsSettings {
  Place place;
  std::vector<AccessKey> keys;
  bool keyless = false;  // whoever reaches the TCP port may do everything
};

class AwsApi {
 public:
  // `plane` outlives it. `unix_time` is in seconds, for signatures.
  AwsApi(ControlPlane& plane, AwsSettings settings, std::function<int64_t()> unix_time);

  HttpResponse answer(const HttpRequest& request);
  // To a request that could not be read.
  static HttpResponse error(int status, std::string_view message);
  // For other pages of the server: a reason to refuse. Clients of this machine need no key to look.
  std::optional<HttpResponse> guard(const HttpRequest& request) const;

 private:
  struct Caller {
    std::string name;  // "aws:KEY"
    bool may_write = false;
    std::optional<Signer> signer;  // without: nobody else can have sent it
  };
  AwsResult<Caller> authenticate(const HttpRequest& request) const;
  AwsResult<> check_writer(const ActionRow& action, const ServiceNames& service,
                           const Caller& caller);
  AwsResult<> run(const ActionRow& action, const ServiceNames& service, const FormNode& form,
                  const Caller& caller, pugi::xml_node out);

  ControlPlane& plane_;
  AwsSettings settings_;
  std::function<int64_t()> unix_time_;
  ReplayGuard replays_;
};

}  // namespace sluice::gateway
