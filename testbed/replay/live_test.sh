#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Live replay through a lab: every frame that sluice-pass approves arrives at the other end, at the
# speed that was asked for.
#
#   client eth0 ---- out0 [gateway] in0 ---- apps (switch) ---- app1 eth0
#                         gen0 ---- fabric (switch) ---- pass1: sluice-pass
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
ip netns list >/dev/null 2>&1 || { echo "SKIP: no network namespaces"; exit 77; }

name=rl$$
work=$(mktemp -d)
trap '"$SLUICE_BIN/sluice" lab down $name >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
sed "s/NAME/$name/" >"$work/lab.yaml" <<'YAML'
gateway:
  name: NAME
  key: 00112233445566778899aabbccddeeff
  flow_table: {flows_max: 1024}
  tunnel: {interface: gen0, address: 10.9.0.1}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: pass}]}]}
attachments:
  - {name: front, endpoint_id: 7, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: pass, protocol: GENEVE, targets: [{id: 10.9.0.11}], health_check: {protocol: TCP, port: 8080}}
lab:
  switches: [{name: fabric, mtu: 1600}, {name: apps}]
  namespaces:
    - name: client
      interfaces: [{name: eth0, addresses: [10.1.0.2/16], peer: gateway/out0}]
    - name: pass1
      interfaces: [{name: eth0, switch: fabric, addresses: [10.9.0.11/24]}]
      appliance: {program: sluice-pass, arguments: [--listen, 10.9.0.11], ready: {tcp: "10.9.0.11:8080"}}
    - name: app1
      interfaces: [{name: eth0, switch: apps, addresses: [10.1.0.11/16]}]
    - name: gateway
      interfaces:
        - {name: in0, switch: apps}
        - {name: gen0, switch: fabric, addresses: [10.9.0.1/24]}
      programs: [{run: [sluiced, --config, "{config}"], ready: {socket: /run/sluice/NAME.sock}}]
YAML
sed -i "s/NAME/$name/" "$work/lab.yaml"
"$SLUICE_BIN/sluice" lab up "$work/lab.yaml"

replay() { "$SLUICE_BIN/sluice" replay --live --config "$work/lab.yaml" --json "$@" 2>"$work/progress"; }
expect() {
  echo "$2" >"$work/report"
  jq -e "$3" "$work/report" >/dev/null || { echo "FAILED: $1: not $3"; cat "$work/report"; exit 1; }
  echo "ok: $1"
}
golden=$SLUICE_SOURCE_DIR/testbed/replay/golden
# The first packets may meet a gateway that has not yet learned the appliance's MAC address.
for _ in $(seq 50); do
  [ "$(replay --pcap "$golden/vlan/in.pcap" --speed max | jq .to_inside.arrived)" = 2 ] && break
  sleep 0.1
done

expect "all arrive at the capture's speed" "$(replay --pcap "$golden/tcp_http/in.pcap")" \
  '.to_inside == {sent: 5, refused: 0, arrived: 5, overflowed: 0} and
   .to_outside == {sent: 3, refused: 0, arrived: 3, overflowed: 0}'
expect "fragments, as fast as possible" "$(replay --pcap "$golden/fragments/in.pcap" --speed max)" \
  '.to_inside.arrived == 2 and .to_outside.arrived == 6'
expect "slower, with progress" "$(replay --pcap "$golden/tcp_http/in.pcap" --speed 0.005)" \
  '.seconds >= 1.4 and .to_outside.arrived == 3'
grep -q '^replay: 1 s' "$work/progress" || { echo "FAILED: no progress on stderr"; exit 1; }
expect "frames that are not IP stay out" "$(replay --pcap "$golden/malformed/in.pcap" --speed max)" \
  '.frames.not_ip == 2 and .to_inside.arrived == 2'
if replay --pcap "$golden/vlan/in.pcap" --lab "no$name"; then echo "FAILED: a lab that is not there"; exit 1; fi
echo "ok: a lab that is not there is refused"
