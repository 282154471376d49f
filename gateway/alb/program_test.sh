#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sluice-proxy as a program, in a network namespace of its own:
#
#   curl ─▶ 10.1.0.80:80 sluice-proxy ─┬─▶ 10.1.0.11:8080 nginx "web"
#                                      └─▶ 10.1.0.13:9000 nginx "api"     (all on lo)
set -eu

skip() { echo "SKIP: $1"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in nginx curl jq nc unshare ip; do
  command -v $tool >/dev/null || skip "needs $tool"
done
if [ -z "${INSIDE:-}" ]; then
  unshare -n true 2>/dev/null || skip "cannot make a network namespace"
  INSIDE=1 exec unshare -n sh "$0"
fi

dir=$(mktemp -d /tmp/alb_program.XXXXXX)
chmod 755 "$dir"
proxy='' nginx=''
cleanup() {
  [ -z "$proxy" ] || kill "$proxy" 2>/dev/null || true
  [ -z "$nginx" ] || kill "$nginx" 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
fail() { echo "FAIL: $1"; cat "$dir"/*.log; exit 1; }

ip link set lo up
for address in 10.1.0.80 10.1.0.11 10.1.0.12 10.1.0.13; do ip addr add $address/32 dev lo; done

cat >"$dir/nginx.conf" <<END
daemon off; master_process off; user root; pid $dir/nginx.pid; error_log $dir/nginx-error.log;
events {}
http {
  access_log off; client_body_temp_path $dir/body;
  server { listen 10.1.0.11:8080; listen 10.1.0.12:8080; location / { return 200 "web \$http_x_forwarded_for\n"; } }
  server { listen 10.1.0.13:9000; location / { return 200 "api \$uri\n"; } }
}
END
nginx -c "$dir/nginx.conf" 2>"$dir/nginx.log" &
nginx=$!
cp "$SLUICE_SOURCE_DIR/docs/features/examples/alb.yaml" "$dir/alb.yaml"
"$SLUICE_BIN/sluice-proxy" --config "$dir/alb.yaml" \
  --metrics 10.1.0.80:9100 --access-log "$dir/access.log" --stats-socket "$dir/stats.sock" 2>"$dir/proxy.log" &
proxy=$!

tries=0
# Not `jq -e`: it is content with no input at all.
until nc -NU "$dir/stats.sock" </dev/null 2>/dev/null |
  jq '[.load_balancers[].target_groups[].targets[].state] | length == 3 and all(. == "healthy")' | grep -qx true; do
  tries=$((tries + 1))
  [ $tries -lt 400 ] || fail "the targets do not become healthy"
  sleep 0.05
done

[ "$(curl -s http://10.1.0.80/)" = "web 10.1.0.80" ] || fail "default action"
[ "$(curl -s -H 'Host: www.shop.example' http://10.1.0.80/api/cart)" = "api /api/cart" ] || fail "rule"
[ "$(curl -s -o /dev/null -w '%{http_code}' -X TRACE http://10.1.0.80/)" = 405 ] || fail "TRACE"
head -c 3000000 /dev/zero >"$dir/zeros"
code=$(curl -s -o /dev/null -w '%{http_code}' -H 'Expect:' --data-binary "@$dir/zeros" http://10.1.0.80/)
[ "$code" = 413 ] || fail "early answer of nginx: $code"

grep -q '^Uid:[[:space:]]*65534' "/proc/$proxy/status" || fail "still root"
grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$proxy/status" || fail "may gain privileges"
grep -q '^CapEff:[[:space:]]*0000000000000400$' "/proc/$proxy/status" || fail "more than CAP_NET_BIND_SERVICE"

# SIGHUP: a file that is not valid changes nothing, the next one is served, on a new low port too.
wait_for() {
  tries=0
  until eval "$2"; do
    tries=$((tries + 1))
    [ $tries -lt 400 ] || fail "$1"
    sleep 0.05
  done
}
sed 's/port: 80$/port: 81/; s/protocol: HTTP$/protocol: HTTPS/' "$dir/alb.yaml" >"$dir/next.yaml"
cat "$dir/next.yaml" >"$dir/alb.yaml"
kill -HUP "$proxy"
wait_for "a bad file is told" "grep -q 'everything stays as it was' $dir/proxy.log"
[ "$(curl -s http://10.1.0.80/)" = "web 10.1.0.80" ] || fail "after a bad file"
sed 's/port: 80$/port: 81/' "$SLUICE_SOURCE_DIR/docs/features/examples/alb.yaml" >"$dir/alb.yaml"
kill -HUP "$proxy"
wait_for "the new port" "[ \"\$(curl -s http://10.1.0.80:81/)\" = 'web 10.1.0.80' ]"
if curl -s -o /dev/null http://10.1.0.80/; then fail "the old port is still open"; fi

curl -s http://10.1.0.80:9100/metrics >"$dir/metrics"
for line in 'sluice_alb_requests_total{load_balancer="web-alb"} 6' \
  'sluice_alb_target_responses_total{load_balancer="web-alb",target_group="api",code="2xx"} 1' \
  'sluice_alb_target_responses_total{load_balancer="web-alb",target_group="web",code="4xx"} 1' \
  'sluice_alb_own_responses_total{load_balancer="web-alb",code="4xx"} 1' \
  'sluice_alb_target_response_seconds_count{load_balancer="web-alb",target_group="api"} 1' \
  'sluice_alb_healthy_hosts{load_balancer="web-alb",target_group="web"} 2'; do
  grep -qF "$line" "$dir/metrics" || { cat "$dir/metrics"; fail "metrics without $line"; }
done
if command -v promtool >/dev/null; then
  promtool check metrics <"$dir/metrics" || fail "promtool does not like the metrics"
fi

kill -TERM "$proxy"
wait "$proxy" || fail "exit status"
proxy=
statuses=$(jq -r '"\(.elb_status) \(.rule_priority) \(.target_group)"' "$dir/access.log" | tr '\n' ,)
[ "$statuses" = "200 0 web,200 10 api,405 -1 ,413 0 web,200 0 web,200 0 web," ] || fail "access log: $statuses"

# What the configuration cannot mean is refused as a whole, before anything is bound.
sed 's/protocol: HTTP$/protocol: HTTPS/' "$SLUICE_SOURCE_DIR/docs/features/examples/alb.yaml" >"$dir/bad.yaml"
if "$SLUICE_BIN/sluice-proxy" --config "$dir/bad.yaml" 2>"$dir/bad.log"; then fail "HTTPS accepted"; fi
grep -q 'HTTPS' "$dir/bad.log" || fail "HTTPS is not named"
# Only the daemon hears what targets there are.
sed 's/protocol: HTTP$/&\n    discover: {file: \/etc\/web}/' "$SLUICE_SOURCE_DIR/docs/features/examples/alb.yaml" |
  sed '/^load_balancers/,/^target_groups/{/discover/d}' >"$dir/bad.yaml"
if "$SLUICE_BIN/sluice-proxy" --config "$dir/bad.yaml" 2>"$dir/bad.log"; then fail "found targets accepted"; fi
grep -q 'found by file:/etc/web.*--follow' "$dir/bad.log" || fail "the remedy is not named"
echo "PASS"
