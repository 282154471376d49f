// SPDX-License-Identifier: Apache-2.0
// What benchmarks measure with.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

// jemalloc's; nullptr: the program has another allocator.
extern "C" __attribute__((weak)) int mallctl(const char* name, void* old, size_t* old_length,
                                             void* value, size_t length);

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

// What is allocated now, by jemalloc if the program has it.
inline double heap_bytes() {
  if (mallctl != nullptr) {
    uint64_t epoch = 1;
    size_t length = sizeof(epoch);
    mallctl("epoch", &epoch, &length, &epoch, length);  // brings the numbers up to date
    size_t allocated = 0;
    length = sizeof(allocated);
    mallctl("stats.allocated", &allocated, &length, nullptr, 0);
    return static_cast<double>(allocated);
  }
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// From here on counts what is resident from here on: what was freed before is given back to the
// kernel first (4096: of all arenas).
inline void forget_resident_peak() {
  if (mallctl != nullptr) mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

// The most that the program had in memory, as the kernel counts it.
inline double resident_peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

}  // namespace sluice::testbed
