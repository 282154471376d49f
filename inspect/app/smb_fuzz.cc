// SPDX-License-Identifier: Apache-2.0
// Any bytes as SMB.
#include "inspect/app/parser_for_fuzz.h"

using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  feed_in_pieces(smb_entry(), {data, size});
  return 0;
}
