// SPDX-License-Identifier: Apache-2.0
// The main function of every GoogleTest program here: one whose tests were all skipped says so to
// ctest with exit status 77, instead of passing.
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  if (failed == 0 && all.test_to_run_count() > 0 &&
      all.skipped_test_count() == all.test_to_run_count())
    return 77;
  return failed;
}
