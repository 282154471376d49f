// SPDX-License-Identifier: Apache-2.0
// Any bytes as DNS over UDP and over TCP, in both directions; over TCP cut elsewhere they tell the
// same.
#include <cstdlib>

#include "inspect/app/parser_for_fuzz.h"

using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  feed_whole(dns_entry(), {data, size});
  feed_in_pieces(dns_tcp_entry(), {data, size});
  return 0;
}
