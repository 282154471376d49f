// SPDX-License-Identifier: Apache-2.0
// What benchmarks measure with.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <vector>

namespace sluice::testbed {

// CPU time of this thread: other programs do not count.
inline double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

inline double seconds_of(const std::function<void()>& work) {
  const double start = cpu_seconds();
  work();
  return cpu_seconds() - start;
}

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

inline double heap_bytes() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

}  // namespace sluice::testbed
