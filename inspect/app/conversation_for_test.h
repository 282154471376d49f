// SPDX-License-Identifier: Apache-2.0
// What two peers say, fed to a parser as it is or cut into pieces.
#pragma once

#include <string>
#include <vector>

#include "inspect/app/recording_sink_for_test.h"

namespace sluice::inspect {

struct Said {
  Direction direction;
  std::string text;
};
using Conversation = std::vector<Said>;

inline Said client(std::string text) { return {Direction::kToServer, std::move(text)}; }
inline Said server(std::string text) { return {Direction::kToClient, std::move(text)}; }

// All that `parser` makes of it, until it wants no more or both sides have ended. Pieces are of
// `piece_max` bytes; and what the first `cut` bytes of all are, comes apart from what follows.
inline Parsed converse(Parser& parser, const Conversation& conversation, RecordingSink& sink,
                       size_t piece_max = SIZE_MAX, size_t cut = SIZE_MAX) {
  size_t fed = 0;
  for (const Said& said : conversation) {
    std::string_view rest = said.text;
    while (!rest.empty()) {
      size_t length = std::min(rest.size(), piece_max);
      if (fed < cut) length = std::min(length, cut - fed);
      // A copy of its own, so that a read beyond its end is found.
      const std::vector<uint8_t> piece(rest.begin(), rest.begin() + static_cast<long>(length));
      const Parsed parsed = parser.feed(said.direction, piece, sink);
      if (parsed != Parsed::kMore) return parsed;
      rest.remove_prefix(length);
      fed += length;
    }
  }
  parser.end(Direction::kToServer, sink);
  parser.end(Direction::kToClient, sink);
  return Parsed::kMore;
}

// Expects the same record wherever the bytes are cut.
inline void expect_same_when_cut(std::unique_ptr<Parser> (*make)(), const Conversation& said) {
  RecordingSink whole;
  const Parsed parsed = converse(*make(), said, whole);
  size_t total = 0;
  for (const Said& s : said) total += s.text.size();
  RecordingSink bytes;
  EXPECT_EQ(converse(*make(), said, bytes, 1), parsed);
  EXPECT_EQ(bytes.str(), whole.str()) << "byte by byte";
  for (size_t cut = 1; cut < total; cut++) {
    RecordingSink sink;
    EXPECT_EQ(converse(*make(), said, sink, SIZE_MAX, cut), parsed);
    ASSERT_EQ(sink.str(), whole.str()) << "cut at " << cut;
  }
}

}  // namespace sluice::inspect
