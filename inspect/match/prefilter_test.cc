// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/prefilter.h"

#include <gtest/gtest.h>
#include <hs.h>
#include <sys/mman.h>

#include <map>
#include <set>

#include "inspect/match/tcp_inspection.h"

namespace sluice::inspect {
namespace {

struct Found : CandidateSink {
  std::multiset<uint32_t> rules;
  void candidate(uint32_t rule) override { rules.insert(rule); }
};

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(Prefilter, NamesEveryRuleWhosePatternOccurs) {
  const std::string binary("\0|^$\xff", 5);
  const auto prefilter = Prefilter::compile({{"abc", false, 1},
                                             {"abc", false, 2},
                                             {"abc", true, 3},
                                             {binary, false, 4},
                                             {"zzz", false, 5}},
                                            Prefilter::Mode::kBlock);
  ASSERT_TRUE(prefilter) << prefilter.error().text();
  PrefilterScratch scratch;
  ASSERT_TRUE(prefilter->prepare(scratch));
  Found found;
  prefilter->scan(bytes("xxABCabcabc" + binary), scratch, found);
  EXPECT_EQ(found.rules, (std::multiset<uint32_t>{1, 2, 3, 4}));
}

TEST(Prefilter, FindsPatternsCutAnywhereInAStream) {
  const auto prefilter = Prefilter::compile({{"attack", false, 7}}, Prefilter::Mode::kStream);
  ASSERT_TRUE(prefilter);
  PrefilterScratch scratch;
  ASSERT_TRUE(prefilter->prepare(scratch));
  const std::string_view text = "an attack here";
  for (size_t cut = 0; cut <= text.size(); cut++) {
    PrefilterStream stream;
    Found found;
    prefilter->scan_stream(stream, bytes(text.substr(0, cut)), scratch, found);
    prefilter->scan_stream(stream, bytes(text.substr(cut)), scratch, found);
    EXPECT_EQ(found.rules.count(7), 1u) << cut;
  }
}

TEST(Prefilter, AStreamMayRestAnywhere) {
  const auto prefilter =
      Prefilter::compile({{"attack", false, 7}, {"tac", false, 8}}, Prefilter::Mode::kStream);
  ASSERT_TRUE(prefilter);
  PrefilterScratch scratch;
  ASSERT_TRUE(prefilter->prepare(scratch));
  PrefilterStream stream;
  Found found;
  stream.rest();
  for (const char c : std::string_view("an attack here")) {
    prefilter->scan_stream(stream, bytes({&c, 1}), scratch, found);
    stream.rest();
    stream.rest();
  }
  EXPECT_EQ(found.rules, (std::multiset<uint32_t>{7, 8}));
  stream.close();
  prefilter->scan_stream(stream, bytes("tac"), scratch, found);
  EXPECT_EQ(found.rules.count(8), 2u);
}

// Databases of their own pages, which nobody can read once they are free.
std::map<void*, size_t> mapped_pages;
void* map_pages(size_t bytes) {
  void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return nullptr;
  mapped_pages[at] = bytes;
  return at;
}
void unmap_pages(void* at) {
  const auto found = mapped_pages.find(at);
  if (found == mapped_pages.end()) return;
  mprotect(at, found->second, PROT_NONE);  // the address stays taken
  mapped_pages.erase(found);
}

TEST(Prefilter, AStreamIsClosedAfterItsDatabase) {
  ASSERT_EQ(hs_set_database_allocator(map_pages, unmap_pages), HS_SUCCESS);
  {
    PrefilterStream stream;
    PrefilterScratch scratch;
    Found found;
    {
      const auto first = Prefilter::compile({{"abcdef", false, 1}}, Prefilter::Mode::kStream);
      ASSERT_TRUE(first->prepare(scratch));
      EXPECT_GT(first->database_bytes(), 0u);
      first->scan_stream(stream, bytes("abc"), scratch, found);
      EXPECT_EQ(mapped_pages.size(), 1u);
    }
    EXPECT_TRUE(mapped_pages.empty());
    stream.close();
    const auto second = Prefilter::compile({{"defghi", false, 2}}, Prefilter::Mode::kStream);
    PrefilterScratch its_scratch;
    ASSERT_TRUE(second->prepare(its_scratch));
    its_scratch.swap(scratch);
    EXPECT_GT(scratch.bytes(), 0u);
    second->scan_stream(stream, bytes("abcdefghi"), scratch, found);
    EXPECT_EQ(found.rules, (std::multiset<uint32_t>{2}));
  }
  ASSERT_EQ(hs_set_database_allocator(nullptr, nullptr), HS_SUCCESS);
}

TEST(Prefilter, ASilentStreamRestsAfterItsDatabase) {
  ASSERT_EQ(hs_set_database_allocator(map_pages, unmap_pages), HS_SUCCESS);
  {
    const StreamLimits limits;
    StreamBudget budget;
    StreamCounters counters;
    StreamInspection side(limits, budget, counters);
    side.generation = 1;
    PrefilterScratch scratch;
    Found found;
    {
      const auto first = Prefilter::compile({{"abcdef", false, 1}}, Prefilter::Mode::kStream);
      ASSERT_TRUE(first->prepare(scratch));
      first->scan_stream(side.prefilter, bytes("abc"), scratch, found);
    }
    EXPECT_TRUE(mapped_pages.empty());
    for (int i = 0; i < 2; i++) side.rest(2);
  }
  ASSERT_EQ(hs_set_database_allocator(nullptr, nullptr), HS_SUCCESS);
}

}  // namespace
}  // namespace sluice::inspect
