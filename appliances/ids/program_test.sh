#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sluice-ids as a program: rules that load, rules that do not, a capture file, mistakes.
set -euo pipefail
ids=$SLUICE_BIN/sluice-ids
# shellcheck source=appliances/program_for_test.sh
. "$(dirname "$0")/../program_for_test.sh"

cat >"$dir/test.rules" <<'RULES'
alert udp any any -> any 53 (msg:"a query for evil"; content:"evil"; sid:1;)
alert gopher any any -> any any (sid:2;)
alert tcp any any -> any any (lua:x; sid:3;)
RULES

"$ids" rules --failed -S "$dir/test.rules" >"$dir/failed"
diff "$dir/failed" - <<TEXT || fail "rules --failed"
$dir/test.rules:2: protocol 'gopher' is not supported
$dir/test.rules:3: keyword 'lua' is not supported
TEXT
"$ids" rules -S "$dir/test.rules" | grep -q "test.rules:1: sid 1: a query for evil" || fail "rules"

# A raw-IP capture (link type 101) of one UDP datagram "evil" from 10.0.0.1:1000 to 10.0.0.2:53.
{
  printf '\xd4\xc3\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\xff\xff\0\0\x65\0\0\0'
  printf '\x00\xf1\x53\x65\x01\0\0\0\x20\0\0\0\x20\0\0\0'
  printf '\x45\0\0\x20\0\x01\0\0\x40\x11\x66\xca\x0a\0\0\x01\x0a\0\0\x02'
  printf '\x03\xe8\0\x35\0\x0c\0\0evil'
} >"$dir/one.pcap"
"$ids" -r "$dir/one.pcap" -S "$dir/test.rules" -l "$dir" 2>"$dir/log"
grep -q "1 rules loaded, 2 refused" "$dir/log" || fail "the summary: $(cat "$dir/log")"
grep -q '"timestamp":"2023-11-14T22:13:20.000001+0000".*"signature_id":1,' "$dir/eve.json" ||
  fail "no alert: $(cat "$dir/eve.json")"
cp "$dir/eve.json" "$dir/first.json"
rm "$dir/eve.json"
"$ids" -r "$dir/one.pcap" -S "$dir/test.rules" -l "$dir" 2>"$dir/log"
cmp "$dir/first.json" "$dir/eve.json" || fail "not the same twice"

"$ids" rules --profile "$dir/one.pcap" -S "$dir/test.rules" >"$dir/profile"
grep -Eq '^ +[1-9][0-9]* 100\.0% +1 +1 +1  a query for evil$' "$dir/profile" || fail "$(cat "$dir/profile")"
grep -q "^1 of 1 rules were tried$" "$dir/profile" || fail "$(cat "$dir/profile")"

"$ids" -S /nonexistent -r "$dir/one.pcap" 2>"$dir/log" && fail "a missing rule file was taken"
grep -q "/nonexistent: cannot read the rules: No such file or directory" "$dir/log" || fail "$(cat "$dir/log")"
"$ids" -S "$dir/test.rules" -r "$dir/test.rules" --eve "$dir/x" 2>/dev/null && fail "a text was taken for a capture"
"$ids" -r "$dir/one.pcap" -S "$dir/test.rules" --eve /dev/full 2>"$dir/log" && fail "lost events went unsaid"
grep -Eq "/dev/full: [1-9][0-9]* lines could not be written" "$dir/log" || fail "$(cat "$dir/log")"
# Whoever reads the events of a capture slowly (the shell, byte by byte) loses none.
mkdir "$dir/copies"
for i in $(seq 100 399); do ln -s "$dir/one.pcap" "$dir/copies/$i.pcap"; done
"$ids" -r "$dir/copies" -S "$dir/test.rules" --eve /dev/stdout 2>"$dir/log" |
  while read -r line; do echo "$line"; done >"$dir/slowly" || fail "$(cat "$dir/log")"
grep -c '"event_type":"alert"' "$dir/slowly" | grep -qx 300 || fail "read slowly: $(cat "$dir/log")"
# A class that nobody has said anything about is a warning.
echo 'alert udp any any -> any 53 (content:"evil"; classtype:mine; sid:1;)' >"$dir/class.rules"
"$ids" -T -S "$dir/class.rules" 2>"$dir/log" || fail "a class was an error: $(cat "$dir/log")"
grep -q "class.rules:1: classtype 'mine' is not in the classification: loaded with priority 3" "$dir/log" ||
  fail "$(cat "$dir/log")"

# Suricata's spelling. -T: one refused rule is an error, and no event is written.
status=0
"$ids" -T -S "$dir/test.rules" -l "$dir" 2>"$dir/log" || status=$?
[ "$status" = 1 ] || fail "-T said $status: $(cat "$dir/log")"
grep -q "test.rules:2: protocol 'gopher' is not supported" "$dir/log" || fail "$(cat "$dir/log")"
grep -q "1 rules loaded, 2 refused" "$dir/log" || fail "$(cat "$dir/log")"
mkdir "$dir/rules.d"
printf '\xef\xbb\xbfalert udp any any -> any 53 (content:"evil"; sid:11;)\n' >"$dir/rules.d/a.rules"
echo 'alert udp any any -> any 53 (content:"vil"; sid:12;)' >"$dir/rules.d/b.rules"
"$ids" -T -S "$dir/rules.d/*.rules" -l "$dir" 2>"$dir/log" || fail "-T: $(cat "$dir/log")"
grep -q "2 rules loaded, 0 refused" "$dir/log" || fail "a pattern in -S: $(cat "$dir/log")"
"$ids" -T -S "$dir/rules.d/*.rules" -l "$dir/none" 2>"$dir/log" && fail "-T: there is no such directory"
"$ids" -T -S "$dir/rules.d/*.rules" --eve "$dir/none/eve.json" 2>"$dir/log" && fail "-T: nor is there this one"
grep -q "$dir/none: cannot write events there: No such file or directory" "$dir/log" || fail "$(cat "$dir/log")"
"$ids" -T -S "$dir/rules.d/*.rules" --eve "$dir/%Y/eve.json" 2>"$dir/log" || fail "-T: $(cat "$dir/log")"
"$ids" -T -S "$dir/none/*.rules" 2>"$dir/log" && fail "a pattern that fits nothing was taken"
echo 'vars: 5' >"$dir/vars.yaml"
"$ids" -T -c "$dir/vars.yaml" -S "$dir/rules.d/a.rules" 2>"$dir/log" && fail "vars: 5 was taken"
grep -q "vars.yaml:1: 'vars=5' is not supported" "$dir/log" || fail "$(cat "$dir/log")"
"$ids" -V | grep -Eqx 'sluice-ids [0-9.]+' || fail "-V: $("$ids" -V)"
"$ids" --build-info | grep -Eq '^Hyperscan [0-9]' || fail "--build-info: $("$ids" --build-info)"
# A directory of captures is one capture.
mkdir "$dir/captures"
cp "$dir/one.pcap" "$dir/captures/a.pcap"
cp "$dir/one.pcap" "$dir/captures/b.pcap"
"$ids" -r "$dir/captures" -S "$dir/rules.d/a.rules" --eve "$dir/both.json" 2>"$dir/log"
grep -c '"pcap_cnt":[12],.*"signature_id":11,' "$dir/both.json" | grep -qx 2 || fail "$(cat "$dir/both.json")"
"$ids" --var NONSENSE 2>/dev/null && fail "a wrong --var was taken"

# A threshold.config beside the rules: what it cannot do is listed with them; a set is kept in its file.
cat >"$dir/threshold.config" <<'CONFIG'
suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1
suppress gen_id 1, sig_id 9
CONFIG
"$ids" -r "$dir/one.pcap" -S "$dir/test.rules" --threshold-file "$dir/threshold.config" --eve "$dir/silent.json" 2>"$dir/log"
grep -q "threshold.config:2: there is no rule with sid 9 and gid 1" "$dir/log" || fail "$(cat "$dir/log")"
grep -q '"event_type":"alert"' "$dir/silent.json" && fail "a suppressed rule spoke"
mkdir "$dir/data"
echo 'alert udp any any -> any 53 (ip.src; dataset:set,seen,type ip,state seen.lst; sid:1;)' >"$dir/set.rules"
"$ids" -r "$dir/one.pcap" -S "$dir/set.rules" --data-dir "$dir/data" --eve "$dir/set.json" 2>"$dir/log"
diff "$dir/data/seen.lst" <(echo 10.0.0.1) || fail "the set: $(cat "$dir/log")"
grep -c '"event_type":"alert"' "$dir/set.json" | grep -qx 1 || fail "the first: $(cat "$dir/set.json")"
rm "$dir/set.json"
"$ids" -r "$dir/one.pcap" -S "$dir/set.rules" --data-dir "$dir/data" --eve "$dir/set.json" 2>"$dir/log"
grep -q '"event_type":"alert"' "$dir/set.json" && fail "the set was forgotten"
# Lost events and a capture that breaks off are no reason to forget it.
rm "$dir/data/seen.lst"
"$ids" -r "$dir/one.pcap" -S "$dir/set.rules" --data-dir "$dir/data" --eve /dev/full 2>/dev/null && fail "lost events went unsaid"
diff "$dir/data/seen.lst" <(echo 10.0.0.1) || fail "the set went with the events"
rm "$dir/data/seen.lst"
{ cat "$dir/one.pcap"; printf 'cut'; } >"$dir/cut.pcap"
"$ids" -r "$dir/cut.pcap" -S "$dir/set.rules" --data-dir "$dir/data" --eve "$dir/cut.json" 2>/dev/null && fail "a cut capture went unsaid"
diff "$dir/data/seen.lst" <(echo 10.0.0.1) || fail "the set went with the rest of the capture"
# One that is not read at the start would be empty; a start that fails leaves its file alone.
echo 'alert udp any any -> any any (ip.src; dataset:set,found,type ip,save found.lst; sid:4;)' >"$dir/save.rules"
echo 10.9.9.9 >"$dir/data/found.lst"
"$ids" -r "$dir/nothing.pcap" -S "$dir/save.rules" --data-dir "$dir/data" --eve /dev/null 2>/dev/null && fail "no capture went unsaid"
diff "$dir/data/found.lst" <(echo 10.9.9.9) || fail "a start that failed emptied the file of a set"
"$ids" -r "$dir/one.pcap" -S "$dir/save.rules" --data-dir "$dir/data" --eve /dev/null 2>/dev/null
diff "$dir/data/found.lst" <(echo 10.0.0.1) || fail "the set was not saved"
"$ids" -r "$dir/one.pcap" -S "$dir/test.rules" --default-action drop --eve "$dir/fw.json" 2>"$dir/log"
grep -q '"reason":"default packet policy"' "$dir/fw.json" || fail "$(cat "$dir/fw.json")"

# Compiled databases are kept: what the first start compiles, the second finds.
for i in $(seq 1000 1099); do
  echo "alert udp any any -> any any (content:\"word $i\"; sid:$i;)"
done >"$dir/many.rules"
cached() {
  "$ids" -r "$dir/one.pcap" -S "$dir/many.rules" -l "$dir" --cache-dir "$dir/cache" 2>"$dir/log"
  grep -q "$1" "$dir/log" || fail "the cache: $(cat "$dir/log")"
}
# Both directions ask for the same database.
cached "1 came from the cache, 1 were not there, 0 ignored, 0 not written"
cached "2 came from the cache, 0 were not there, 0 ignored, 0 not written"
# SIGHUP while rules are read waits for its turn. The note comes before the rules, which take a while.
echo 'nfq: {mode: accept}' >"$dir/noted.yaml"
for n in $(seq 3000); do
  echo "alert udp any any -> any 53 (content:\"word $n\"; sid:$n;)"
done >"$dir/slow.rules"
start "$ids" -c "$dir/noted.yaml" -S "$dir/slow.rules" --eve "$dir/slow.json"
wait_for holds "without effect"
kill -HUP "$pid"
wait_for holds "^reloaded "
kill "$pid"
wait "$pid" || true
# A running one: other rules over its socket and by SIGHUP; a file that is not there changes nothing.
ask() { "$ids" ctl --socket "$dir/ids.sock" --json "$@"; }
start "$ids" -S "$dir/test.rules" --eve "$dir/live.json" --socket "$dir/ids.sock" --set stats.interval=1 --workers 2
wait_for holds "^ready: "
ask failed-rules limit=1 | tr -d '\n ' | grep '"refused":2,"rules":\[{"file":"[^"]*/test.rules","line":2,"sid":2,"why":' >/dev/null ||
  fail "failed-rules: $(ask failed-rules)"
ask memory | grep '"database_bytes": [1-9]' >/dev/null || fail "memory: $(ask memory)"
ask metrics | grep 'sluice_ids_rules_loaded 1\\n' >/dev/null || fail "metrics: $(ask metrics)"
cp "$dir/many.rules" "$dir/test.rules"
ask reload | tr -d '\n ' | grep '"loaded":100,"refused":0' >/dev/null || fail "reload: $(cat "$dir/log")"
echo 'alert udp any any -> any 53 (content:"word"; sid:1;)' >"$dir/test.rules"
# SIGHUP, for rotation as well: events go on in a new file.
mv "$dir/live.json" "$dir/live.json.1"
kill -HUP "$pid"
wait_for holds '^reloaded {"loaded":1,"refused":0,"skipped":0}$'
[ -e "$dir/live.json" ] || fail "the file of events was not opened again"
mv "$dir/live.json" "$dir/live.json.2"
ask reopen-log-files >/dev/null || fail "reopen-log-files"
wait_for grep -q '"event_type":"stats".*"kernel_packets":0.*"rules_loaded":1' "$dir/live.json"
rm "$dir/test.rules"
kill -HUP "$pid"
wait_for holds "/test.rules: cannot read the rules: No such file or directory"
ask reload 2>"$dir/why" && fail "a missing file was taken by a reload"
grep -q "cannot read the rules" "$dir/why" || fail "$(cat "$dir/why")"
mkfifo "$dir/test.rules"
ask reload 2>"$dir/why" && fail "a pipe was taken by a reload"
grep -q "test.rules: cannot read the rules: it is a pipe" "$dir/why" || fail "$(cat "$dir/why")"
rm "$dir/test.rules"
ask stats | tr -d '\n ' | grep '"rules":{"loaded":1,"refused":0,"skipped":0,"reloads":2,"reloads_failed":3,"datasets":0,"datasets_full":0}' >/dev/null ||
  fail "stats: $(ask stats)"
stop
tail -n 1 "$dir/live.json" | grep -q '"event_type":"stats"' || fail "no stats at the end"

# The next file of events begins by the clock.
echo 'outputs: [{eve-log: {filename: eve-%s.json, rotate-interval: 1s, types: [stats]}}]' >"$dir/rotation.yaml"
echo '#' >"$dir/test.rules"
start "$ids" -S "$dir/test.rules" -c "$dir/rotation.yaml" -l "$dir" --set stats.interval=1
two_files() { [ "$(grep -l '"event_type":"stats"' "$dir"/eve-*.json 2>/dev/null | wc -l)" -ge 2 ]; }
wait_for two_files
stop

# A full disk: what is lost is counted while it runs, and said at the end.
echo 'alert udp any any -> any 53 (content:"word"; sid:1;)' >"$dir/test.rules"
start "$ids" -S "$dir/test.rules" --eve /dev/full --socket "$dir/ids.sock" --set stats.interval=1
wait_for holds "^ready: "
lost() { ask stats | tr -d '\n ' | grep -Eq '"eve":\{"lines":[1-9][0-9]*,"lines_lost":[1-9]'; }
wait_for lost
ask metrics | grep -E 'sluice_eve_lines_lost_total [1-9]' >/dev/null || fail "metrics: $(ask metrics)"
kill "$pid"
wait "$pid" && fail "lost events went unsaid"
pid=
grep -Eq "/dev/full: [1-9][0-9]* lines could not be written" "$dir/log" || fail "$(cat "$dir/log")"
echo ok
