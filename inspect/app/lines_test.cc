// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/lines.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::inspect {
namespace {

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The lines of `text` in pieces of `piece` bytes, "+" behind one that was cut.
std::vector<std::string> lines_of(std::string_view text, size_t piece, size_t max = 10) {
  LineReader reader(max);
  std::vector<std::string> lines;
  while (!text.empty()) {
    auto bytes = bytes_of(text.substr(0, piece));
    text.remove_prefix(bytes.size());
    while (!bytes.empty())
      if (const auto line = reader.next(bytes); line)
        lines.push_back(std::string(line->text) + (line->cut ? "+" : ""));
  }
  return lines;
}

TEST(LineReader, LinesAreTheSameHoweverTheyAreCut) {
  const struct {
    std::string_view text;
    std::vector<std::string> lines;
  } cases[] = {
      {"a\r\nb\n\r\n\nc", {"a", "b", "", ""}},
      {"12345678\r\n", {"12345678"}},
      {"123456789\r\nx\n", {"123456789\r+", "x"}},
      {"1234567890123456789012345\n\n1234567890\n", {"1234567890+", "", "1234567890+"}},
      {"a\rb\r\r\n", {"a\rb\r"}},
  };
  for (const auto& c : cases)
    for (size_t piece = 1; piece <= c.text.size(); piece++)
      EXPECT_EQ(lines_of(c.text, piece), c.lines) << c.text << " " << piece;
}

TEST(LineReader, APartIsShownUntilItsLineEnds) {
  LineReader reader(10);
  auto bytes = bytes_of("abc");
  EXPECT_FALSE(reader.next(bytes));
  EXPECT_EQ(reader.part(), "abc");
  bytes = bytes_of("d\n");
  EXPECT_TRUE(reader.next(bytes));
  EXPECT_EQ(reader.part(), "");
}

}  // namespace
}  // namespace sluice::inspect
