// SPDX-License-Identifier: Apache-2.0
// Answers to health checks: HTTP/1 whole and cut in two gives the same; HTTP/2 only must not break.
#include <cstdint>
#include <cstdlib>

#include "gateway/targets/grpc_call.h"
#include "gateway/targets/http_answer.h"

using namespace sluice::gateway;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HttpAnswer whole, cut;
  whole.add(bytes);
  cut.add(bytes.substr(0, size / 2));
  cut.add(bytes.substr(size / 2));
  if (whole.state() != cut.state() || whole.status() != cut.status()) abort();

  GrpcCall call("10.0.0.1:80", "/AWS.ALB/healthcheck");
  (void)call.output();
  if (call.input(bytes)) (void)call.output();
  return 0;
}
