// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/sequence_end.h"

#include <gtest/gtest.h>

namespace sluice::inspect {
namespace {

TEST(SequenceEnd, AnyResetIsBelievedOfWhomNothingIsKnown) {
  EXPECT_TRUE(SequenceEnd().believes_reset(0));
  EXPECT_TRUE(SequenceEnd().believes_reset(12345));
}

TEST(SequenceEnd, ComesToWhereItsSegmentsEndAlsoPastZero) {
  SequenceEnd end;
  end.begin(0xfffffff0);
  end.send(0xfffffff0, 32);
  EXPECT_TRUE(end.believes_reset(16));
  EXPECT_FALSE(end.believes_reset(15));
  EXPECT_FALSE(end.believes_reset(17));
  end.send(0xfffffff0, 40);
  EXPECT_TRUE(end.believes_reset(24)) << "twice, and more";
  end.send(0, 8);
  EXPECT_TRUE(end.believes_reset(24)) << "old";
}

// Who guesses moves nothing: neither ahead nor behind.
TEST(SequenceEnd, WhatDoesNotFitMovesNothing) {
  SequenceEnd end;
  end.begin(1000);
  for (const uint32_t sequence : {1001u, 2000u, 0x7fffffffu, 0x80000400u, 500u}) {
    end.send(sequence, 10);
    EXPECT_TRUE(end.believes_reset(1000));
    EXPECT_FALSE(end.believes_reset(sequence + 10));
  }
}

TEST(SequenceEnd, TheReceiverSaysWhatItHas) {
  SequenceEnd end;
  end.begin(1000);
  end.send(1100, 100);  // early
  end.acknowledge(1200);
  EXPECT_TRUE(end.believes_reset(1200));
  EXPECT_FALSE(end.believes_reset(1000));
  end.send(1200, 100);
  EXPECT_TRUE(end.believes_reset(1300));
  EXPECT_TRUE(end.believes_reset(1200)) << "it may have lost the last segment";
}

TEST(SequenceEnd, AnotherSynCountsUntilOneIsAcknowledged) {
  SequenceEnd end;
  end.begin(1000);
  end.begin(2000);
  EXPECT_TRUE(end.believes_reset(2000));
  end.acknowledge(2000);
  end.begin(3000);
  EXPECT_TRUE(end.believes_reset(2000));
  EXPECT_FALSE(end.believes_reset(3000));
}

TEST(SequenceEnd, OfAConnectionMetInItsMiddle) {
  SequenceEnd sent;
  sent.send(1000, 10);
  EXPECT_TRUE(sent.believes_reset(1010));
  EXPECT_FALSE(sent.believes_reset(1000));
  SequenceEnd acknowledged;
  acknowledged.acknowledge(1000);
  EXPECT_TRUE(acknowledged.believes_reset(1000));
  EXPECT_FALSE(acknowledged.believes_reset(1001));
}

}  // namespace
}  // namespace sluice::inspect
