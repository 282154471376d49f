#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What no compiler of ours says: lint.sh [--all], after `./dev build dev`. By default clang-tidy sees the
# sources that differ from main (or, on main, from the commit before); --all shows it every source.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=0

step() {
  local name=$1
  shift
  if "$@"; then echo "ok   $name"; else
    echo "FAIL $name"
    failed=1
  fi
}

format() {
  git ls-files '*.h' '*.cc' '*.c' | xargs clang-format --dry-run -Werror
}

scripts() {
  git ls-files -z | xargs -0 grep -lE '^#!/bin/(ba)?sh' | xargs shellcheck -S warning
}

changed() {
  if [ "${1:-}" = --all ]; then
    git ls-files '*.cc'
    return
  fi
  local base
  base=$(git merge-base HEAD main 2>/dev/null) || base=HEAD~1
  [ "$base" != "$(git rev-parse HEAD)" ] || git diff --quiet HEAD -- || base=HEAD
  [ "$base" != "$(git rev-parse HEAD)" ] || ! git diff --quiet HEAD -- || base=HEAD~1
  git diff --name-only --diff-filter=d "$base" -- '*.cc'
}

tidy() {
  local files
  # A source that is only in the fuzz build is not in this compilation database.
  files=$(changed "$@" | while read -r f; do grep -q "\"file\": \"$PWD/$f\"" build/dev/compile_commands.json && echo "$f"; done)
  [ -n "$files" ] || return 0
  # g++ flags that clang does not know must not fail the run.
  echo "$files" | xargs -P2 -n1 clang-tidy -p build/dev --quiet \
    --extra-arg=-Wno-unknown-warning-option 2>/dev/null
}

# A header alone must compile: as C++, and the restricted C of the packet path (the files with the kernel's
# licence beside ours) also as C and for BPF.
header() {
  local file=$1 folder=${1%%/*} includes
  includes=$(sed 's/^/-I/' "build/dev/roots/$folder.includes")
  # shellcheck disable=SC2086
  g++ -std=c++20 -Wall -Wextra -fsyntax-only -include "$file" $includes -x c++ /dev/null || return 1
  head -n 1 "$file" | grep -q GPL-2.0-only || return 0
  # shellcheck disable=SC2086
  gcc -std=gnu11 -Wall -Wextra -fsyntax-only -include "$file" $includes -x c /dev/null || return 1
  # shellcheck disable=SC2086
  clang -target bpf -mcpu=v3 -O2 -Wall -Wextra -fsyntax-only -include "$file" $includes \
    "-I/usr/include/$(gcc -dumpmachine)" -x c /dev/null
}
export -f header

headers() {
  # shellcheck disable=SC2016
  git ls-files '*.h' | xargs -P2 -I{} bash -c 'header {} || { echo "does not compile alone: {}"; exit 1; }'
}

step "format" format
step "shell scripts" scripts
step "project rules" .ci/rules.py --lengths
step "headers alone" headers
step "clang-tidy" tidy "$@"
exit $failed
