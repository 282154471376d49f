// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/digest.h"

#include <cstring>

namespace sluice::gateway {

using namespace tunnels;  // NOLINT: siphash

std::string hexadecimal(uint64_t number) {
  std::string out(16, '0');
  for (int i = 15; i >= 0; i--, number >>= 4) out[i] = "0123456789abcdef"[number & 15];
  return out;
}

std::string digest_of(const siphash_key& key, std::string_view text) {
  siphash_state state;
  siphash_init(&state, &key);
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof(word));
    siphash_word(&state, word);
  }
  uint64_t rest = 0;
  if (at < text.size()) std::memcpy(&rest, text.data() + at, text.size() - at);
  return hexadecimal(siphash_finish(&state, rest, static_cast<uint32_t>(text.size())));
}

}  // namespace sluice::gateway
