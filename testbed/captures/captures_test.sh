#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Replays every capture of this folder offline, without privileges: the same bytes twice, every
# frame ends in one verdict, sluice-pass lets all of them through, and the demonstration's rules and
# policy find what is in them.
set -euo pipefail
here=$SLUICE_SOURCE_DIR/testbed/captures
golden=$SLUICE_SOURCE_DIR/testbed/replay/golden
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
replay() { "$SLUICE_BIN/sluice" replay --json "$@"; }

for pcap in "$here"/*.pcap; do
  name=$(basename "$pcap" .pcap)
  config=$golden/tcp_http/config.yaml
  replay --pcap "$pcap" --config "$config" --out "$work/1.pcap" >"$work/1.json"
  replay --pcap "$pcap" --config "$config" --out "$work/2.pcap" >"$work/2.json"
  cmp -s "$work/1.json" "$work/2.json" || fail "$name: two reports differ"
  cmp -s "$work/1.pcap" "$work/2.pcap" || fail "$name: two results differ"
  jq -e '.frames | .read > 0 and .delivered == .read' "$work/1.json" >/dev/null || fail "$name: not all delivered"
  [ "$(stat -c %s "$pcap")" -lt 200000 ] || fail "$name: too large for the repository"
  echo "ok: $name: $(jq .frames.delivered "$work/1.json") frames delivered"
done

replay --pcap "$here/curl_exploit.pcap" --config "$golden/ids_drop/config.yaml" >"$work/ids.json"
jq -e '.flows | length == 1 and .[0].verdict == "dropped by appliance"
       and .[0].dropped_by == "rule 1000001 (shell in a request)"' "$work/ids.json" >/dev/null || fail "the exploit passed the rules"
replay --pcap "$here/openssl_tls12.pcap" --config "$golden/dpi_block/config.yaml" >"$work/dpi.json"
jq -e '.flows[0].dropped_by == "TLS.YouTube (policy: application YouTube)"' "$work/dpi.json" >/dev/null || fail "YouTube passed the policy"
replay --pcap "$here/ssh.pcap" --config "$golden/dpi_block/config.yaml" >"$work/dpi.json"
jq -e '.flows[0].verdict == "dropped by appliance"' "$work/dpi.json" >/dev/null || fail "SSH passed the policy"
echo "ok: rules and policy find what they are for"

# Cut at many places: always a report with the frames before the cut, and at most one line of error.
pcap=$here/dig_dns.pcap
for ((length = 0; length < $(stat -c %s "$pcap"); length += 37)); do
  head -c "$length" "$pcap" >"$work/cut.pcap"
  status=0
  replay --pcap "$work/cut.pcap" --config "$golden/tcp_http/config.yaml" >"$work/cut.json" 2>"$work/error" || status=$?
  [ $status -le 1 ] || fail "cut at $length: status $status: $(cat "$work/error")"
  [ "$(wc -l <"$work/error")" -le 1 ] || fail "cut at $length: $(cat "$work/error")"
  [ $status = 0 ] || grep -q "^$work/cut.pcap: " "$work/error" || fail "cut at $length: the error names no file"
done
echo "ok: cut captures"

# The options of docs/features/replay.md.
run() { "$SLUICE_BIN/sluice" replay --pcap "$here/curl_exploit.pcap" --config "$golden/ids_drop/config.yaml" "$@" 2>&1; }
refused() { run "$@" && return 1; return 0; }
run --eve "$work/eve" >/dev/null
grep -q '"signature_id":1000001' "$work"/eve/*.json || fail "no event in the folder of --eve"
run --json --limit 3 | jq -e '.frames.read == 3' >/dev/null || fail "--limit"
run --json --inside 10.1.0.2 --outside 10.1.0.11 | jq -e '.flows[0].why' >/dev/null || fail "--inside"
refused --attachment nothing | grep -q "there is no attachment 'nothing'" || fail "--attachment"
refused --inside 10.1.0.2/64 | grep -q "prefix length must be between 0 and 32" || fail "a wrong prefix"
refused --speed 2 >/dev/null || fail "--speed without --live"
sed '/^lab:/,$d' "$golden/tcp_http/config.yaml" >"$work/nolab.yaml"
{ replay --pcap "$pcap" --config "$work/nolab.yaml" 2>&1 || true; } | grep -q 'replay with --appliance pass' || fail "a target without an appliance"
replay --pcap "$pcap" --config "$work/nolab.yaml" --appliance pass | jq -e '.frames.delivered == .frames.read' >/dev/null || fail "--appliance pass"
echo "ok: options"
