// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/fast_pattern.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "inspect/stream/reassembly.h"

namespace sluice::inspect {
namespace {

// More of a literal makes the tables larger and the candidates no fewer.
constexpr size_t kPatternMax = 32;
static_assert(kPatternMax <= kStraddleMax + 1);
// Hyperscan is a hundred times slower on runs of the byte that ends a literal eight times or more.
constexpr size_t kEqualTailMax = 7;
// A position further on than this is not looked at faster than it is searched for.
constexpr int64_t kKnownPlaceMax = 64;

constexpr std::array<uint8_t, 256> make_bits() {
  std::array<uint8_t, 256> bits{};
  for (size_t i = 0; i < 256; i++) bits[i] = i >= 0x80 ? 7 : 6;
  const auto set = [&](std::string_view bytes, uint8_t to) {
    for (const char c : bytes) bits[static_cast<uint8_t>(c)] = to;
  };
  set("etaoinsr", 4);
  set("hldcumfpgwyb", 5);
  set("xjqz", 8);
  set("ETAOINSRHLDCUMFPGWYBVK", 6);
  set("XJQZ", 8);
  set("01/.-=:\"\r\n\x01", 4);
  set("23456789&%_;,<>", 5);
  set(" \xff", 3);
  bits[0] = 2;
  return bits;
}
constexpr std::array<uint8_t, 256> kBits = make_bits();

// In lower case; what is part of one of these occurs in most connections.
constexpr std::string_view kCommon[] = {
    "http/1.1\r\nhost: www.",
    " http/1.0\r\n",
    "http/1.1 200 ok\r\n",
    "https://www.",
    ".com/",
    ".html",
    ".php?",
    "index.php",
    "\r\nuser-agent: mozilla/5.0 (windows nt ",
    "\r\nuser-agent: mozilla/4.0 (compatible; msie ",
    "\r\naccept: text/html",
    "\r\naccept: */*\r\n",
    "\r\naccept-language: en-us",
    "\r\naccept-encoding: gzip, deflate",
    "\r\nconnection: keep-alive\r\n",
    "\r\nconnection: close\r\n",
    "\r\ncontent-type: application/octet-stream",
    "\r\ncontent-type: application/x-www-form-urlencoded",
    "\r\ncontent-type: text/html; charset=utf-8",
    "\r\ncontent-length: ",
    "\r\ncache-control: no-cache",
    "\r\nreferer: http://",
    "\r\ncookie: ",
    "\r\n\r\n",
    "<html><head><title>",
    "<script type=\"text/javascript\">",
    "get /",
    "post /",
};
constexpr int kCommonDivisor = 4;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

}  // namespace

int rarity_of(std::string_view bytes) {
  bytes = bytes.substr(0, kPatternMax);
  int bits = 0;
  for (size_t i = 0; i < bytes.size(); i++) {
    const bool repeated = i != 0 && bytes[i] == bytes[i - 1];
    bits += repeated ? 1 : kBits[static_cast<uint8_t>(bytes[i])];
  }
  const std::string searched = lower(bytes);
  const bool common = std::any_of(std::begin(kCommon), std::end(kCommon), [&](auto text) {
    return text.find(searched) != std::string_view::npos;
  });
  return common ? bits / kCommonDivisor : bits;
}

bool is_better_pattern(const Content* content, const Content* other) {
  if (content == nullptr || other == nullptr) return content != nullptr;
  if (content->fast_pattern != other->fast_pattern) return content->fast_pattern;
  return rarity_of(content->bytes) > rarity_of(other->bytes);
}

const Content* fast_pattern_of(const std::vector<BufferMatch>& matches) {
  const Content* best = nullptr;
  for (const BufferMatch& match : matches) {
    const auto* content = std::get_if<Content>(&match);
    if (content != nullptr && !content->negated && is_better_pattern(content, best)) best = content;
  }
  return best;
}

std::string fast_pattern_bytes(const Content& content) {
  std::string bytes = content.chop_length == 0
                          ? content.bytes
                          : content.bytes.substr(content.chop_offset, content.chop_length);
  if (bytes.size() > kPatternMax) bytes.resize(kPatternMax);
  size_t tail = 1;
  while (tail < bytes.size() && bytes[bytes.size() - 1 - tail] == bytes.back()) tail++;
  if (tail > kEqualTailMax) bytes.resize(bytes.size() - (tail - kEqualTailMax));
  return bytes;
}

bool is_worth_searching(const Content& content) {
  if (fast_pattern_bytes(content).size() >= kPatternMin) return true;
  const bool place_known = content.positioned && content.depth && !content.depth->variable &&
                           !content.offset.variable &&
                           content.offset.value + content.depth->value <= kKnownPlaceMax;
  return !place_known;
}

}  // namespace sluice::inspect
