// SPDX-License-Identifier: Apache-2.0
// Any bytes as an HTTP/1 connection, with gaps, in pieces of several sizes. What is told may
// differ: libhtp takes bytes between messages for a body when they come together with one.
#include "inspect/app/parser_for_fuzz.h"

using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const size_t piece : {SIZE_MAX, size_t{7}, size_t{1}})
    feed_chunks(http_entry(), {data, size}, piece);
  return 0;
}
