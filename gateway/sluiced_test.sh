#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sluiced and sluice on real interfaces.
#
#   [client eth0] ----------------------- [server eth0]     before insert, and after remove
#   [client eth0] == inside [gateway] outside -- [server]   between; gen0 == [appliance]
#
# The appliance is the kernel: DNAT to the gateway's own address and MASQUERADE send each datagram back with
# its outer addresses swapped.
set -eu
[ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
for tool in iptables ethtool curl python3; do
  command -v $tool > /dev/null || { echo "SKIP: needs $tool"; exit 77; }
done
P=sd$$
DIR=$(mktemp -d)
DAEMON=
cleanup() {
  [ -z "$DAEMON" ] || kill "$DAEMON" 2> /dev/null || true
  [ -z "$HEALTH" ] || kill "$HEALTH" "$SERVER" 2> /dev/null || true
  wait
  for n in client server gateway appliance; do ip netns del "$P$n" 2> /dev/null || true; done
  rm -rf "$DIR"
}
HEALTH='' SERVER=''
trap cleanup EXIT
fail() { echo "FAIL: $1"; exit 1; }
until_true() {  # SECONDS COMMAND...: waits for the condition
  local tries=$(($1 * 10)); shift
  for _ in $(seq "$tries"); do "$@" > /dev/null 2>&1 && return 0; sleep 0.1; done
  return 1
}
in_ns() { ip netns exec "$P$1" "${@:2}"; }
sluice() { in_ns gateway "$SLUICE_BIN/sluice" "$@"; }

for n in client server gateway appliance; do ip netns add "$P$n"; ip -n "$P$n" link set lo up; done
ip -n ${P}client link add eth0 type veth peer name eth0 netns ${P}server
ip -n ${P}gateway link add gen0 mtu 1600 type veth peer name eth0 mtu 1600 netns ${P}appliance
ip -n ${P}gateway link add gen1 mtu 1600 type veth peer name eth1 mtu 1600 netns ${P}appliance
in_ns appliance ethtool -K eth1 gro off
ip -n ${P}gateway link add mgmt0 type veth peer name eth2 netns ${P}appliance
in_ns appliance ethtool -K eth0 gro on
in_ns server ethtool -K eth0 gro on
ip -n ${P}client addr add 10.1.0.2/24 dev eth0
ip -n ${P}server addr add 10.1.0.3/24 dev eth0
ip -n ${P}gateway addr add 10.9.0.1/24 dev gen0
ip -n ${P}appliance addr add 10.9.0.11/24 dev eth0
for n in client server appliance; do ip -n $P$n link set eth0 up; done
ip -n ${P}gateway link set gen0 up
in_ns appliance sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 \
  net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0
in_ns appliance iptables -t nat -A PREROUTING -p udp --dport 6081 -j DNAT --to-destination 10.9.0.1:6081
in_ns appliance iptables -t nat -A POSTROUTING -p udp --dport 6081 -j MASQUERADE
ip netns exec ${P}appliance python3 -m http.server 8080 --bind 10.9.0.11 > /dev/null 2>&1 &
HEALTH=$!
ip netns exec ${P}server python3 -m http.server 8000 --bind 10.1.0.3 --directory "$DIR" > /dev/null 2>&1 &
SERVER=$!
# The only gateway is found without --socket, whatever else is there. A /run/sluice of its own: others may run here.
the_only_one() {
  unshare -m bash -c 'mkdir -p /run/sluice; mount -t tmpfs none /run/sluice
    ln -s "$1/gateway.sock" /run/sluice/one.sock
    python3 -c "import socket; s = socket.socket(socket.AF_UNIX); s.bind(\"/run/sluice/killed.sock\")"
    ln -s "$1/gateway.sock" /run/sluice/one-proxies.sock
    env -u SLUICE_SOCKET "$2/sluice" history' _ "$DIR" "$SLUICE_BIN"
}
fetch() { in_ns client curl -sf -m 20 -o /dev/null http://10.1.0.3:8000/; }

cat > "$DIR/gateway.yaml" << YAML
gateway:
  name: $P
  key: 00112233445566778899aabbccddeeff
  socket: $DIR/gateway.sock
  store: $DIR/state.db
  flow_table: {flows_max: 4096}
  tunnel: {interface: [gen0, gen1], address: 10.9.0.1}
  nlb: {interface: mgmt0}
load_balancers:
  - name: nlb
    type: network
    listeners: [{protocol: UDP, address: 10.1.0.100, port: 7000, default_actions: [{type: forward, target_group: echo}]}]
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
target_groups:
  - name: ids
    protocol: GENEVE
    health_check: {port: 8080, interval_seconds: 1, timeout_seconds: 1}
    targets: [{id: 10.9.0.11}]
  - {name: echo, protocol: UDP, port: 7000, targets: [{id: 10.1.0.3}]}
YAML
ip netns exec ${P}gateway "$SLUICE_BIN/sluiced" --config "$DIR/gateway.yaml" 2> >(tee "$DIR/log" >&2) &
DAEMON=$!
export SLUICE_SOCKET=$DIR/gateway.sock
healthy() { sluice targets health ids --json | grep -q '"state":"healthy"'; }
until_true 60 healthy || fail "the appliance does not become healthy"
until_true 30 grep -q "warning interface gen1: .*ethtool -K eth1 gro on" "$DIR/log" || fail "no word about the end that does not merge"
grep -q "warning interface gen0" "$DIR/log" && fail "a word about the end that merges"
the_only_one || fail "the only gateway is not found"

before=$(ip -n ${P}client addr show eth0; ip -n ${P}client route)
until_true 30 fetch || fail "no way to the server before insert"
sluice insert ${P}client eth0
until_true 30 fetch || { sluice counters; fail "nothing passes the gateway"; }
sluice flows --protocol tcp --port 8000 | grep -q 10.9.0.11 || fail "the flow is not in the table"
sluice explain tcp 10.1.0.2:4242 10.1.0.3:8000 --from-inside | grep -q "sent to 10.9.0.11" || fail "explain does not name the appliance"

# A bad file changes nothing; then the appliance leaves and comes back.
cp "$DIR/gateway.yaml" "$DIR/good.yaml"
echo "nonsense: 1" >> "$DIR/gateway.yaml"
kill -HUP "$DAEMON"
sleep 0.3
fetch || fail "a bad file changed something"
cp "$DIR/good.yaml" "$DIR/gateway.yaml"

# Interfaces that go away stop only what needs them; one that comes back has its address again.
has_address() { ip -n ${P}gateway addr show mgmt0 | grep -q 10.1.0.100/32; }
has_address || fail "the NLB address is not there"
ip -n ${P}gateway link del gen1
ip -n ${P}gateway link del mgmt0
until_true 30 grep -q "gen1: there is no such interface" "$DIR/log" || fail "no word about the missing interface"
sluice targets register ids 10.9.0.12 || fail "a missing interface stops registration"
sluice targets deregister ids 10.9.0.12 || fail "a missing interface stops deregistration"
fetch || fail "a missing interface stops traffic"
ip -n ${P}gateway link add mgmt0 type veth peer name eth2 netns ${P}appliance
until_true 30 has_address || fail "the NLB address does not come back"

sluice remove ${P}client eth0
fetch || fail "no way to the server after remove"
after=$(ip -n ${P}client addr show eth0; ip -n ${P}client route)
[ "$(echo "$before" | grep -E "inet |ether|10\.")" = "$(echo "$after" | grep -E "inet |ether|10\.")" ] ||
  fail "the interface is not what it was: $after"

# What was acknowledged survives kill -9, and can be taken back.
registered() { sluice export | grep -q "$1"; }
sluice targets register ids 10.9.0.21 || fail "cannot register"
kill -KILL "$DAEMON"
wait "$DAEMON" || true
ip -n ${P}gateway link add gen1 mtu 1600 type veth peer name eth1 mtu 1600 netns ${P}appliance
ip netns exec ${P}gateway "$SLUICE_BIN/sluiced" --config "$DIR/gateway.yaml" 2> >(tee -a "$DIR/log" >&2) &
DAEMON=$!
until_true 60 registered 10.9.0.21 || fail "a registered target did not survive kill -9"
sluice export > "$DIR/export.yaml"
sluice apply --dry-run "$DIR/export.yaml" | grep -q "no change" || fail "the export is not the state"
sluice diff | grep -q "+ targets\[10.9.0.21\].id" || fail "diff does not show the last change"
sluice rollback 1 > /dev/null || fail "cannot roll back"
registered 10.9.0.21 && fail "the rollback took nothing back"
sluice history | grep -q "rollback to 1" || fail "the history does not have the rollback"
kill -TERM "$DAEMON"
wait "$DAEMON" || fail "the daemon ended with $?"
DAEMON=
[ ! -e "$DIR/gateway.sock" ] || fail "the socket is still there"
echo "PASS"
