// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What stands around the gateway in the live benchmark: a generator, a sink, appliances that echo
// in the kernel, and forwarders that do nothing but forward.
#include <linux/bpf.h>
// libbpf's helpers use the types of linux/types.h above.
#include <bpf/bpf_helpers.h>

#include "testbed/bench/live_bench.h"
#include "tunnels/checksum.h"
#include "tunnels/packet.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { kTcNext = -1, kTcDrop = 2 };
enum { kNotOurs, kBack, kTapped };

// Where what comes in at an interface leaves: below for an even destination MAC address, above 32
// bits for an odd one; 0: it goes to the kernel.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, kLivePortsMax);
  __type(key, __u32);
  __type(value, __u64);
} live_routes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct live_traffic);
} live_traffic SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, kLiveCpusMax);
  __type(key, __u32);
  __type(value, struct live_count);
} live_counts SEC(".maps");

SLUICE_INLINE __u32 route_of(const __u8* data, const __u8* end, __u32 interface) {
  const __u64* to = bpf_map_lookup_elem(&live_routes, &interface);
  if (!to || data + 6 > end) return 0;
  return data[5] & 1 ? (__u32)(*to >> 32) : (__u32)*to;
}

SEC("xdp")
int live_redirect_xdp(struct xdp_md* context) {
  const __u32 to = route_of((__u8*)(long)context->data, (__u8*)(long)context->data_end,
                            context->ingress_ifindex);
  return to ? (int)bpf_redirect(to, 0) : XDP_PASS;
}

SEC("tc")
int live_redirect_tc(struct __sk_buff* context) {
  const __u32 to =
      route_of((__u8*)(long)context->data, (__u8*)(long)context->data_end, context->ifindex);
  return to ? (int)bpf_redirect(to, 0) : kTcNext;
}

SLUICE_INLINE struct live_count* count_here(void) {
  const __u32 cpu = bpf_get_smp_processor_id() & (kLiveCpusMax - 1);
  return bpf_map_lookup_elem(&live_counts, &cpu);
}

SLUICE_INLINE void swap_macs(__u8* data) {
  const __u32 to = load_u32(data), from = load_u32(data + 6);
  const __u16 to_end = load_u16(data + 4), from_end = load_u16(data + 10);
  store_u32(data, from);
  store_u16(data + 4, from_end);
  store_u32(data + 6, to);
  store_u16(data + 10, to_end);
}

// As echo(), in a tunnel over IPv6.
SLUICE_INLINE int echo6(__u8* data, const __u8* end) {
  if (data + 62 > end || data[20] != kProtocolUdp || load_be16(data + 56) != 6081) return kNotOurs;
  swap_macs(data);
  for (int i = 22; i < 38; i += 4) {
    const __u32 source = load_u32(data + i);
    store_u32(data + i, load_u32(data + i + 16));
    store_u32(data + i + 16, source);
  }
  return kBack;
}

// Turns a GENEVE datagram round, as an appliance that approves of everything; the tap counts it.
SLUICE_INLINE int echo(__u8* data, const __u8* end) {
  if (data + 42 > end) return kNotOurs;
  if (load_be16(data + 12) == kEtherTypeIpv6) return echo6(data, end);
  if (load_be16(data + 12) != kEtherTypeIpv4 || data[23] != kProtocolUdp ||
      load_be16(data + 36) != 6081)
    return kNotOurs;
  if (load_be32(data + 30) == kLiveTap) {
    struct live_count* count = count_here();
    if (count) count->tapped++;
    return kTapped;
  }
  swap_macs(data);
  const __u32 source = load_u32(data + 26);
  store_u32(data + 26, load_u32(data + 30));
  store_u32(data + 30, source);
  return kBack;
}

SEC("xdp")
int live_echo_xdp(struct xdp_md* context) {
  const int done = echo((__u8*)(long)context->data, (__u8*)(long)context->data_end);
  return done == kBack ? XDP_TX : done == kTapped ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int live_echo_tc(struct __sk_buff* context) {
  const int done = echo((__u8*)(long)context->data, (__u8*)(long)context->data_end);
  if (done != kBack) return done == kTapped ? kTcDrop : kTcNext;
  return (int)bpf_redirect(context->ifindex, 0);
}

// Turns round whatever comes: the appliance's place where nothing is encapsulated.
SEC("xdp")
int live_bounce_xdp(struct xdp_md* context) {
  (void)context;
  return XDP_TX;
}

SEC("tc")
int live_bounce_tc(struct __sk_buff* context) { return (int)bpf_redirect(context->ifindex, 0); }

SLUICE_INLINE int is_ours(const __u8* data, const __u8* end) {
  return data + 42 <= end && load_be16(data + 12) == kEtherTypeIpv4 && data[23] == kProtocolUdp &&
         load_be16(data + 36) == kLiveServerPort;
}

SEC("xdp")
int live_sink_xdp(struct xdp_md* context) {
  if (!is_ours((__u8*)(long)context->data, (__u8*)(long)context->data_end)) return XDP_PASS;
  struct live_count* count = count_here();
  if (count) count->packets++;
  return XDP_DROP;
}

SEC("tc")
int live_sink_tc(struct __sk_buff* context) {
  if (!is_ours((__u8*)(long)context->data, (__u8*)(long)context->data_end)) return kTcNext;
  struct live_count* count = count_here();
  if (count) count->packets++;
  return kTcDrop;
}

// Sent ones come back with what has been made of them, so all of the frame is written each time.
SEC("xdp")
int live_generate(struct xdp_md* context) {
  const __u32 zero = 0;
  struct live_traffic* traffic = bpf_map_lookup_elem(&live_traffic, &zero);
  __u8* data = (__u8*)(long)context->data;
  if (!traffic || data + kLiveFrameLength > (__u8*)(long)context->data_end) return XDP_DROP;
  const __u32 flow = ((__u32)traffic->step++ * 0x9e3779b1u >> 8) & (traffic->flows - 1);
  store_u64(data, load_u64(traffic->to));
  store_u32(data + 8, load_u32(traffic->to + 8));
  store_be16(data + 12, kEtherTypeIpv4);
  store_be32(data + 14, 0x45000000 | (kLiveFrameLength - 14));
  store_be32(data + 18, 0x00004000);
  store_be32(data + 22, 64 << 24 | kProtocolUdp << 16);
  store_be32(data + 26, 0x0a020000 + (flow >> 8));  // 10.2.0.0
  store_be32(data + 30, 0x0a01000b);                // 10.1.0.11
  store_u16(data + 24, checksum_fold(checksum_add(0, data + 14, 20)));
  store_be32(data + 34, (1024 + (flow & 255)) << 16 | kLiveServerPort);
  store_be32(data + 38, (kLiveFrameLength - 34) << 16);  // no checksum
  for (int i = 42; i < kLiveFrameLength; i += 2) store_u16(data + i, 0);
  return bpf_redirect(traffic->interface, 0);
}
