// SPDX-License-Identifier: Apache-2.0
#include "tunnels/result.h"

#include <cstdio>
#include <cstdlib>

namespace sluice {

std::string Error::text() const {
  std::string line;
  if (!where.empty()) line = where + ": ";
  line += what;
  if (code) line += ": " + code.message();
  return line;
}

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, expression);
  std::abort();
}

}  // namespace sluice
