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
  end.begin(0xffffffef, 1);
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
  end.begin(999, 1);
  for (const uint32_t sequence : {1001u, 2000u, 0x7fffffffu, 0x80000400u, 500u}) {
    end.send(sequence, 10);
    EXPECT_TRUE(end.believes_reset(1000));
    EXPECT_FALSE(end.believes_reset(sequence + 10));
  }
}

TEST(SequenceEnd, TheReceiverSaysWhatItHas) {
  SequenceEnd end;
  end.begin(999, 1);
  end.send(1100, 100);  // early
  end.acknowledge(1200);
  EXPECT_TRUE(end.believes_reset(1200));
  EXPECT_FALSE(end.believes_reset(1000));
  end.send(1200, 100);
  EXPECT_TRUE(end.believes_reset(1300));
  EXPECT_TRUE(end.believes_reset(1200)) << "it may have lost the last segment";
}

TEST(SequenceEnd, KnowsWhatWasNotSent) {
  SequenceEnd end;
  EXPECT_FALSE(end.is_unsent(5000)) << "nothing is known";
  end.begin(999, 1);
  end.send(1100, 100);  // early
  EXPECT_FALSE(end.is_unsent(1200));
  EXPECT_TRUE(end.is_unsent(1201));
  EXPECT_FALSE(end.is_unsent(900)) << "old";
}

TEST(SequenceEnd, AnotherSynCountsUntilOneIsAcknowledged) {
  SequenceEnd end;
  end.begin(999, 1);
  end.begin(1999, 1);
  EXPECT_TRUE(end.believes_reset(2000));
  end.acknowledge(2000);
  end.begin(2999, 1);
  EXPECT_TRUE(end.believes_reset(2000));
  EXPECT_FALSE(end.believes_reset(3000));
}

// RFC 5961 section 5: who does not see the connection cannot name what was sent and not yet
// acknowledged.
TEST(SequenceEnd, AnAcknowledgementOfWhatWasNotSentCountsForNothing) {
  for (const bool handshake : {true, false}) {
    SequenceEnd end;
    end.begin(999, 1);
    if (handshake) end.acknowledge(1000, true);
    end.send(1000, 200);
    if (handshake) end.acknowledge(1100);
    for (const uint32_t made_up : {1201u, 500u, 70'000u, 0x40000000u, 0x80000000u, 0xc0000000u}) {
      end.acknowledge(made_up);
      EXPECT_FALSE(end.believes_reset(made_up)) << made_up;
    }
    EXPECT_TRUE(end.believes_reset(1200));
    EXPECT_EQ(end.believes_reset(1100), handshake);
    end.acknowledge(1200);
    end.send(1200, 10);
    EXPECT_TRUE(end.believes_reset(1210));
    EXPECT_TRUE(end.believes_reset(1200)) << "it may have lost the last segment";
  }
}

TEST(SequenceEnd, AnOldAcknowledgementMovesNothing) {
  SequenceEnd end;
  end.begin(999, 1);
  end.send(1000, 200);
  end.acknowledge(1150);
  end.acknowledge(1100);
  EXPECT_FALSE(end.believes_reset(1100));
  EXPECT_TRUE(end.believes_reset(1150));
}

// They passed elsewhere; where the sender goes on and the receiver follows it is found again.
TEST(SequenceEnd, BytesThatWereNotSeenAreFoundToBeMissing) {
  SequenceEnd end;
  end.begin(999, 1);
  end.acknowledge(5000);
  EXPECT_TRUE(end.believes_reset(1000)) << "nobody has sent so much";
  end.send(5000, 100);
  end.acknowledge(5100);
  EXPECT_TRUE(end.believes_reset(5100));
  EXPECT_FALSE(end.believes_reset(1000));
}

TEST(SequenceEnd, WhatRunsTooFarAheadIsNotWaitedFor) {
  for (const uint32_t length : {1u, 2u}) {
    SequenceEnd end;
    end.begin(999, 1);
    end.send(1000 + kRunAheadMax - 1, length);
    end.acknowledge(1000 + kRunAheadMax - 1 + length);
    EXPECT_EQ(end.believes_reset(1000 + kRunAheadMax), length == 1) << length;
    EXPECT_EQ(end.believes_reset(1000), length == 2) << length;
  }
}

// Of two SYNs the one that is answered counts.
TEST(SequenceEnd, AnAnswerToASynCountsOnce) {
  SequenceEnd end;
  end.begin(999, 1);
  end.begin(70'000, 1);
  end.acknowledge(1000, true);
  end.send(1000, 10);
  EXPECT_TRUE(end.believes_reset(1010));
  EXPECT_FALSE(end.believes_reset(70'001));
  end.acknowledge(80'000, true);
  EXPECT_TRUE(end.believes_reset(1010));
  EXPECT_FALSE(end.believes_reset(80'000));
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
  acknowledged.acknowledge(9000);
  EXPECT_TRUE(acknowledged.believes_reset(9000)) << "nothing is known from the sender";
  acknowledged.send(9000, 10);
  acknowledged.acknowledge(20'000);
  EXPECT_FALSE(acknowledged.believes_reset(20'000));
  EXPECT_TRUE(acknowledged.believes_reset(9010));
}

}  // namespace
}  // namespace sluice::inspect
