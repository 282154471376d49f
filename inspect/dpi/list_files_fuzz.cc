// SPDX-License-Identifier: Apache-2.0
// Any text as a list file: what is accepted must not hurt nDPI. Input: 1 byte of kind, the file.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "inspect/dpi/classifier.h"

using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const std::string file = "/tmp/list_files_fuzz_" + std::to_string(getpid());
  FILE* out = std::fopen(file.c_str(), "w");
  if (out == nullptr) std::abort();
  std::fwrite(data + 1, 1, size - 1, out);
  std::fclose(out);
  ListFiles lists;
  std::string* const kinds[] = {&lists.protocols, &lists.categories, &lists.risky_domains,
                                &lists.ja3, &lists.sha1};
  *kinds[data[0] % 5] = file;
  (void)Classifier::create(lists);
  std::remove(file.c_str());
  return 0;
}
