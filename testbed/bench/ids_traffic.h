// SPDX-License-Identifier: Apache-2.0
// Made-up traffic for the inspection of rules. The same every time.
#pragma once

#include <cstdint>

#include "testbed/bench/corpus.h"

namespace sluice::testbed {

// Of ten flows five are HTTP (three requests each), four TLS and one DNS; answers of 4 KB to 600 KB
// in segments of 1448 bytes, half of the bytes text and half of them random like images. 64 flows
// take turns packet by packet.
Corpus web_mix(uint32_t flows);

// Packets of some 150 bytes on the average: calls of HTTP APIs, TLS with short records, DNS, lines
// of a protocol that nobody knows.
Corpus small_mix(uint32_t flows);

// Packets of some 350 bytes on the average, as in what is called a simple IMIX (64, 594 and 1518
// bytes as 7 to 4 to 1): one flow of web_mix for 39 of small_mix.
Corpus imix(uint32_t flows);

enum class OpenFlow : uint8_t {
  kHandshake,  // and nothing more
  kHttp,       // a request and its answer, and the connection stays
  kTls,        // both sides encrypt
};

// TCP connections that are all open at the end. Each number, from `first` on, is another one.
Corpus open_flows(OpenFlow kind, uint32_t first, uint32_t flows, int64_t time_us);

}  // namespace sluice::testbed
