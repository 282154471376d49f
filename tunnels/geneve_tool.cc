// SPDX-License-Identifier: Apache-2.0
// The GENEVE codec as a filter of lines, so that a program in another language can try it
// (geneve_scapy_test.py). All numbers are hexadecimal:
//   encode ENDPOINT ATTACHMENT COOKIE VNI PROTOCOL -> the header's bytes
//   say PROFILE ENDPOINT ATTACHMENT LEAVING PROTOCOL -> the bytes in another profile, by its name
//   decode BYTES -> "ENDPOINT ATTACHMENT COOKIE VNI PROTOCOL LENGTH", or the drop reason's name
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "tunnels/geneve_profiles.h"

namespace sluice::tunnels {
namespace {

constexpr geneve_profile kProfile = SLUICE_GENEVE_AWS;

void encode(std::istream& in) {
  geneve header{};
  in >> std::hex >> header.endpoint_id >> header.attachment_id >> header.flow_cookie >>
      header.vni >> header.protocol;
  uint8_t out[40];
  geneve_encode(out, &kProfile, &header);
  for (uint8_t byte : out) std::printf("%02x", byte);
  std::printf("\n");
}

void say(std::istream& in) {
  std::string name;
  geneve header{};
  uint32_t leaving = 0;
  in >> name >> std::hex >> header.endpoint_id >> header.attachment_id >> leaving >>
      header.protocol;
  for (unsigned i = 0; i < kProfiles; i++) {
    if (profile_name(i) != name) continue;
    const geneve_profile& profile = kGeneveProfiles[i];
    geneve_say(&profile, &header, leaving);
    std::vector<uint8_t> out(profile.header_length);
    geneve_encode(out.data(), &profile, &header);
    for (uint8_t byte : out) std::printf("%02x", byte);
  }
  std::printf("\n");
}

void decode(std::istream& in) {
  std::string text;
  in >> text;
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    uint8_t byte = 0;
    std::from_chars(&text[i], &text[i] + 2, byte, 16);
    bytes.push_back(byte);
  }
  geneve h{};
  const DropReason reason = geneve_decode(bytes.data(), bytes.data() + bytes.size(), &kProfile, &h);
  if (reason != kDropNone) {
    std::printf("%s\n", std::string(drop_reason_name(reason)).c_str());
    return;
  }
  std::printf("%" PRIx64 " %" PRIx64 " %x %x %x %x\n", uint64_t{h.endpoint_id},
              uint64_t{h.attachment_id}, h.flow_cookie, h.vni, h.protocol, h.header_length);
}

}  // namespace
}  // namespace sluice::tunnels

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string verb;
    in >> verb;
    if (verb == "encode") {
      sluice::tunnels::encode(in);
    } else if (verb == "say") {
      sluice::tunnels::say(in);
    } else if (verb == "decode") {
      sluice::tunnels::decode(in);
    } else {
      std::fprintf(stderr, "geneve_tool: \"%s\" is none of encode, say and decode\n", verb.c_str());
      return 1;
    }
  }
  return 0;
}
