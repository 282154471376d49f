// SPDX-License-Identifier: Apache-2.0
// Any stream, cut in two: the parts give the same hello as the whole, and a fingerprint has its
// form.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "inspect/tls/hello_stream.h"
#include "inspect/tls/ja4.h"

using namespace sluice::inspect::tls;

namespace {

bool well_formed(const std::string& ja4) {
  return ja4.size() == 36 && ja4[10] == '_' && ja4[23] == '_' &&
         std::ranges::all_of(ja4, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::vector<uint8_t> copy(data + 1, data + size);
  const std::span<const uint8_t> bytes(copy);
  HelloStream whole;
  whole.add(bytes);
  const size_t cut = std::min<size_t>(data[0], bytes.size());
  HelloStream parts;
  parts.add(bytes.first(cut));
  parts.add(bytes.subspan(cut));
  if (whole.state() == HelloStream::State::kHello) {
    if (parts.state() != whole.state()) std::abort();
    if (!std::ranges::equal(parts.message(), whole.message())) std::abort();
    const auto hello = read_client_hello(whole.message());
    if (hello && !well_formed(ja4(*hello))) std::abort();
  }
  const auto hello = read_client_hello(bytes);
  if (hello && !well_formed(ja4(*hello, Transport::kQuic))) std::abort();
  return 0;
}
