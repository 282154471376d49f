#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the kernel of this network namespace an appliance: every GENEVE datagram of the gateway goes back to it, from
# this host's address. Ports, GENEVE header and inner packet stay as they are.
set -eu
gateway=10.9.0.1
cd /proc/sys/net/ipv4
echo 1 >ip_forward
for conf in conf/all conf/eth0; do
  echo 0 >$conf/send_redirects
  echo 0 >$conf/rp_filter
  echo 1 >$conf/accept_local
done
case $1 in
  iptables)
    iptables -w -t nat -A PREROUTING -p udp -s $gateway --dport 6081 -j DNAT --to-destination $gateway
    iptables -w -t nat -A POSTROUTING -p udp --dport 6081 -j MASQUERADE
    ;;
  nft)
    nft -f - <<RULES
table ip hairpin {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ip saddr $gateway udp dport 6081 dnat to $gateway
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    udp dport 6081 masquerade
  }
}
RULES
    ;;
esac
