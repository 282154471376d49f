// SPDX-License-Identifier: Apache-2.0
// Any bytes as the file of a dataset and as files of reputation. What was read is written and read
// again as the same.
#include "inspect/rules/dataset.h"
#include "inspect/rules/ip_reputation.h"

using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto memory = std::make_shared<std::atomic<size_t>>(0);
  DatasetSpec spec;
  spec.name = "fuzz";
  spec.type = static_cast<DatasetType>(data[0] % 6);
  spec.reputation = (data[0] & 0x80) != 0;
  spec.memory_max = 4096;
  {
    Dataset set(spec, memory);
    const bool whole = static_cast<bool>(set.read(text, "fuzz"));
    if (*memory > spec.memory_max) __builtin_trap();
    spec.reputation = false;
    Dataset again(spec, memory);
    if (!again.read(set.text(), "again") || again.text() != set.text()) __builtin_trap();
    if (whole && again.size() != set.size()) __builtin_trap();
  }
  if (*memory != 0) __builtin_trap();
  IpReputation scores;
  (void)scores.read_categories("1,bad,\n2,spam,\n", "fuzz");
  (void)scores.read_scores(text, "fuzz");
  (void)scores.read_categories(text, "fuzz");
  return 0;
}
