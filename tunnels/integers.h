// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Numbers on the wire: loads and stores of big-endian integers at any alignment.
//
// This header, like checksum.h, siphash.h, drop_reasons.h, packet.h, flow_key.h and geneve.h, is
// written in the restricted C that the BPF verifier accepts and is compiled three ways: by clang
// for the kernel host, by the C compiler for the process host, and as C++ by everybody else
// (namespace sluice::tunnels). Callers check bounds first; nothing here does.
#pragma once

#include <linux/types.h>

#ifdef __cplusplus
#define SLUICE_BEGIN namespace sluice::tunnels {
#define SLUICE_END }
#else
#define SLUICE_BEGIN
#define SLUICE_END
#endif

// Every function of the packet path is inlined into one BPF program: the verifier then knows the
// bounds of each packet pointer at each use.
#ifdef __bpf__
#define SLUICE_INLINE static inline __attribute__((always_inline))
#else
#define SLUICE_INLINE static inline __attribute__((unused))
#endif

SLUICE_BEGIN

// Returns its argument. In a loop, makes the BPF verifier (6.x) forget what it knows about the
// value: all rounds then look alike to it and it checks the body once instead of once per round.
#ifdef __bpf__
__attribute__((noinline, weak)) __u32 forget(__u32 value) {
  __asm__ volatile("" : "+r"(value));
  return value;
}
#else
SLUICE_INLINE __u32 forget(__u32 value) { return value; }
#endif

// clang turns memcpy from a pointer of unknown alignment into single byte loads on BPF; the kernel
// on x86-64 and arm64 allows the plain load, so take that there and memcpy everywhere else.
#ifdef __bpf__
SLUICE_INLINE __u16 load_u16(const void* p) { return *(const __u16*)p; }
SLUICE_INLINE __u32 load_u32(const void* p) { return *(const __u32*)p; }
SLUICE_INLINE __u64 load_u64(const void* p) { return *(const __u64*)p; }
SLUICE_INLINE void store_u16(void* p, __u16 v) { *(__u16*)p = v; }
SLUICE_INLINE void store_u32(void* p, __u32 v) { *(__u32*)p = v; }
SLUICE_INLINE void store_u64(void* p, __u64 v) { *(__u64*)p = v; }
#else
SLUICE_INLINE __u16 load_u16(const void* p) {
  __u16 v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
SLUICE_INLINE __u32 load_u32(const void* p) {
  __u32 v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
SLUICE_INLINE __u64 load_u64(const void* p) {
  __u64 v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
SLUICE_INLINE void store_u16(void* p, __u16 v) { __builtin_memcpy(p, &v, sizeof(v)); }
SLUICE_INLINE void store_u32(void* p, __u32 v) { __builtin_memcpy(p, &v, sizeof(v)); }
SLUICE_INLINE void store_u64(void* p, __u64 v) { __builtin_memcpy(p, &v, sizeof(v)); }
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
SLUICE_INLINE __u16 swap_be16(__u16 v) { return __builtin_bswap16(v); }
SLUICE_INLINE __u32 swap_be32(__u32 v) { return __builtin_bswap32(v); }
SLUICE_INLINE __u64 swap_be64(__u64 v) { return __builtin_bswap64(v); }
#else
SLUICE_INLINE __u16 swap_be16(__u16 v) { return v; }
SLUICE_INLINE __u32 swap_be32(__u32 v) { return v; }
SLUICE_INLINE __u64 swap_be64(__u64 v) { return v; }
#endif

SLUICE_INLINE __u16 load_be16(const void* p) { return swap_be16(load_u16(p)); }
SLUICE_INLINE __u32 load_be32(const void* p) { return swap_be32(load_u32(p)); }
SLUICE_INLINE __u64 load_be64(const void* p) { return swap_be64(load_u64(p)); }
SLUICE_INLINE void store_be16(void* p, __u16 v) { store_u16(p, swap_be16(v)); }
SLUICE_INLINE void store_be32(void* p, __u32 v) { store_u32(p, swap_be32(v)); }
SLUICE_INLINE void store_be64(void* p, __u64 v) { store_u64(p, swap_be64(v)); }

SLUICE_END
