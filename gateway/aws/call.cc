// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/call.h"

#include <algorithm>

namespace sluice::gateway {
namespace {

// What nobody foresaw: the state would not be valid as a whole (the client's fault), or the machine
// could not do it (ours).
AwsError from_errors(const std::vector<Error>& errors) {
  std::string message;
  bool ours = false;
  for (const Error& error : errors) {
    ours |= static_cast<bool>(error.code);
    message.append(message.empty() ? "" : "; ").append(error.text());
  }
  if (ours) return {"InternalFailure", message, 500};
  return {"InvalidConfigurationRequest", message};
}

}  // namespace

AwsResult<> Call::commit(const Change& change) {
  std::optional<AwsError> refused;
  const auto run = [&](Config& next) -> Result<> {
    auto result = change(next);
    if (result) return {};
    refused = std::move(result).error();
    return fail(refused->message);
  };
  auto done = dry_run ? plane.dry_run(run) : plane.commit(author, run);
  if (refused) return tl::unexpected<AwsError>(*std::move(refused));
  if (!done) return tl::unexpected<AwsError>(from_errors(done.error()));
  if (!dry_run) return {};
  return refuse("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
}

Page::Page(Params& params, const PageNames& names) : names_(names) {
  marker_ = params.text(names.marker).value_or("");
  size_ = params.number(names.size, names.size_least, names.size_most).value_or(names.size_most);
}

}  // namespace sluice::gateway
