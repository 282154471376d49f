#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sluice-dpi as a program: signals while it starts, rotation of its events.
set -euo pipefail
dpi=$SLUICE_BIN/sluice-dpi
# shellcheck source=appliances/program_for_test.sh
. "$(dirname "$0")/../program_for_test.sh"

# A policy file that is a pipe would hold up whoever reads it.
mkfifo "$dir/pipe"
"$dpi" --policy "$dir/pipe" 2>"$dir/log" && fail "a pipe was taken for a policy"
grep -q "cannot read the policy: it is a pipe" "$dir/log" || fail "$(cat "$dir/log")"

# Nor does it wait for somebody who reads its events.
"$dpi" --eve "$dir/pipe" 2>"$dir/log" && fail "nobody reads its events"
grep -q "pipe: cannot open for appending" "$dir/log" || fail "$(cat "$dir/log")"

# SIGHUP waits for its turn while it starts.
echo "applications: []" >"$dir/policy.yaml"
start "$dpi" --policy "$dir/policy.yaml"
signals_wait() { [ $((0x$(awk '/^SigBlk/ { print $2 }' "/proc/$pid/status") & 1)) -eq 1 ]; }
until signals_wait || holds "^ready: "; do :; done
kill -HUP "$pid"
wait_for holds "^reloaded"
stop

# The next file begins by the clock, also when there is nothing to tell; every event names the sensor.
start "$dpi" --eve "$dir/%Y/eve-%s.json" --rotate-interval 1s --sensor-name dmz-1 --socket "$dir/dpi.sock"
wait_for holds "^ready: "
two_files() { [ "$(find "$dir" -name 'eve-*.json' | wc -l)" -ge 2 ]; }
wait_for two_files
"$dpi" ctl --socket "$dir/dpi.sock" --json stats | tr -d '\n ' |
  grep -Eq '"eve":\{"lines":0,"lines_lost":0,"rotations":[1-9][0-9]*,"rotations_failed":0\}' ||
  fail "$("$dpi" ctl --socket "$dir/dpi.sock" stats)"
stop
cat "$dir"/*/eve-*.json | grep '"event_type":"stats"' | grep -q '"host":"dmz-1"' || fail "no stats at the end"
"$dpi" --rotate-interval day 2>"$dir/log" && fail "standard output cannot be rotated"
grep -q "^standard output is not rotated: say which file" "$dir/log" || fail "$(cat "$dir/log")"
"$dpi" --rotate-interval weekly 2>"$dir/log" && fail "a wrong interval was taken"
grep -q "'weekly' is no interval" "$dir/log" || fail "$(cat "$dir/log")"
echo ok
