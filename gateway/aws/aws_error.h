// SPDX-License-Identifier: Apache-2.0
// How an AWS API says no.
#pragma once

#include <string>
#include <utility>

#include "tunnels/result.h"

namespace sluice::gateway {

// `code` is a word of the service's model, without the suffix "Exception": clients make typed
// errors from it.
struct AwsError {
  std::string code;
  std::string message;
  int status = 400;
};

template <class T = void>
using AwsResult = Result<T, AwsError>;

inline tl::unexpected<AwsError> refuse(std::string code, std::string message, int status = 400) {
  return tl::unexpected<AwsError>(AwsError{std::move(code), std::move(message), status});
}

}  // namespace sluice::gateway
