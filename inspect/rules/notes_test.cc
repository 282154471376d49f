// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/notes.h"

#include <gtest/gtest.h>

#include <numeric>

namespace sluice::inspect {
namespace {

TEST(Names, OneTooManyIsRefused) {
  Names names;
  for (size_t i = 0; i < kNamesMax; i++) ASSERT_TRUE(names.number("flowbit:b" + std::to_string(i)));
  const auto refused = names.number("flowbit:other");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "more than 65536 names of bits and numbers");
  EXPECT_EQ(*names.number("flowbit:b7"), 7u) << "known ones stay";
}

TEST(FlowNotes, HoldsABitOfEveryName) {
  FlowNotes notes;
  for (uint32_t bit = 0; bit < kNamesMax; bit++) {
    EXPECT_FALSE(notes.has(bit));
    notes.set(bit);
  }
  std::vector<uint32_t> all(kNamesMax);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(notes.bits(), all);
  notes.unset(64);
  EXPECT_FALSE(notes.has(64));
  EXPECT_TRUE(notes.has(63) && notes.has(65));
}

TEST(FlowNotes, WhatIsNotSetTakesNoRoom) {
  FlowNotes notes;
  notes.unset(kNamesMax - 1);
  EXPECT_FALSE(notes.has(kNamesMax - 1));
  EXPECT_TRUE(notes.bits().empty());
}

TEST(FlowNotes, HoldsANumberOfEveryName) {
  FlowNotes notes;
  for (uint32_t name = 0; name < 200; name++) notes.set_number(name, name + 1);
  notes.set_number(3, 99);
  EXPECT_EQ(notes.number(199), 200u);
  EXPECT_EQ(notes.number(3), 99u);
  EXPECT_EQ(notes.number(200), std::nullopt);
}

TEST(HostBits, FullTheOneThatEndsFirstMakesRoom) {
  HostBits bits;
  const auto key = [](uint32_t number) { return HostBits::Key{1, {number}}; };
  for (uint32_t i = 0; i < kHostBitsMax; i++) bits.set(key(i), 1000 + i);
  EXPECT_EQ(bits.evicted(), 0u);
  bits.set(key(kHostBitsMax), 5000);
  EXPECT_EQ(bits.size(), kHostBitsMax);
  EXPECT_EQ(bits.evicted(), 1u);
  EXPECT_FALSE(bits.has(key(0), 0));
  EXPECT_TRUE(bits.has(key(1), 0) && bits.has(key(kHostBitsMax), 0));
}

}  // namespace
}  // namespace sluice::inspect
