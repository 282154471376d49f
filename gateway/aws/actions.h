// SPDX-License-Identifier: Apache-2.0
// Every action that the AWS APIs have here, in one list: what it is called, who may use it, and who
// answers it. docs/api.md is printed from it.
#pragma once

#include <span>
#include <string_view>

#include "gateway/aws/call.h"

namespace sluice::gateway {

enum class AwsService { kElbv2, kEc2, kSts };

struct ServiceNames {
  AwsService service;
  std::string_view title;
  std::string_view scope;      // in the credential of a signature
  std::string_view version;    // in the parameter Version
  std::string_view xml_names;  // the answers' name space
  ParamCodes codes;
};
std::span<const ServiceNames> aws_services();

struct ActionRow {
  AwsService service;
  bool writes;  // not for read-only keys
  std::string_view name;
  AwsResult<> (*answer)(Call& call);
  std::string_view what;  // for a person
};
std::span<const ActionRow> aws_actions();

}  // namespace sluice::gateway
