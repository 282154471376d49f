// SPDX-License-Identifier: Apache-2.0
// [codings 1 byte][body]: decoded whole and byte by byte it must be the same.
#include <cstdlib>
#include <string>

#include "inspect/app/http_inflate.h"

using namespace sluice::inspect;

namespace {

struct Decoded : HttpInflate::Listener {
  bool on_decoded(std::span<const uint8_t> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return text.size() < (1 << 20);
  }
  std::string text;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr std::string_view kCodings[] = {"gzip", "deflate", "gzip, deflate",
                                                  "deflate, gzip, gzip"};
  if (size == 0) return 0;
  const HttpCodings codings = http_codings(kCodings[data[0] % 4]);
  const std::span<const uint8_t> body(data + 1, size - 1);
  Decoded whole, bytes;
  HttpInflate one(codings), other(codings);
  bool usual = one.feed(body, whole) != HttpInflate::Outcome::kBomb;
  for (size_t i = 0; i < body.size(); i++)
    usual = other.feed(body.subspan(i, 1), bytes) != HttpInflate::Outcome::kBomb && usual;
  if (usual && whole.text.size() < (1 << 20) && whole.text != bytes.text) std::abort();
  return 0;
}
