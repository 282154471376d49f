# SPDX-License-Identifier: Apache-2.0
# For tests of appliances as programs, which source it: a folder of their own ($dir) that goes with
# them, and one program in the background ($pid), whose log is $dir/log.
# shellcheck shell=bash
dir=$(mktemp -d "${TMPDIR:-/tmp}/sluice_program_test.XXXXXX")
pid=
# shellcheck disable=SC2329
clean_up() {
  [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
  rm -rf "$dir"
}
trap clean_up EXIT

fail() {
  echo "FAIL: $*" >&2
  exit 1
}
# Until the command succeeds, for as long as the program runs.
wait_for() {
  for _ in $(seq 600); do
    "$@" && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  fail "$*: $(cat "$dir/log")"
}
holds() { grep -q "$1" "$dir/log"; }
# Runs a program with these arguments, at an address and ports of its own.
start() {
  "$@" --listen "127.$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1))" \
    --port $((RANDOM % 10000 + 20000)) --health-port $((RANDOM % 10000 + 20000)) 2>"$dir/log" &
  pid=$!
}
# Ends it, which must be no error.
stop() {
  kill "$pid"
  wait "$pid" || fail "it ended with an error: $(cat "$dir/log")"
  pid=
}
