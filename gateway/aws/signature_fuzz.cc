// SPDX-License-Identifier: Apache-2.0
// The input: the Authorization header, the X-Amz-Date header, the query and the body, a line each.
#include <array>
#include <cstdint>
#include <vector>

#include "gateway/aws/signature.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::gateway;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 4> parts;
  for (std::string_view& part : parts) {
    const size_t end = std::min(input.find('\n'), input.size());
    part = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  const std::vector<HttpHeader> headers{
      {"Host", "h"}, {"Authorization", parts[0]}, {"X-Amz-Date", parts[1]}};
  const HttpRequest request{"POST", "/", "/", parts[2], "h", headers, parts[3], {}};
  // A key that the corpus was not signed with: nothing may pass.
  const std::vector<AccessKey> keys{{"AKIDEXAMPLE", "a secret that signed nothing", true}};
  if (verify_signature(request, keys, 1795242661)) __builtin_trap();
  return 0;
}
