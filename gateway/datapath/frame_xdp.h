// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// A frame in the XDP entry: a driver's buffer, before the kernel makes a packet of it. Included by
// frame.h.
#pragma once

typedef struct xdp_md frame;

SLUICE_INLINE __u8* frame_data(const frame* f) { return (__u8*)(long)f->data; }
SLUICE_INLINE __u8* frame_end(const frame* f) { return (__u8*)(long)f->data_end; }
SLUICE_INLINE __u32 frame_length(const frame* f) {
  __u64 length = (__u64)(long)f->data_end - (__u64)(long)f->data;
  SLUICE_OPAQUE(
      length);  // the verifier (6.x) refuses the subtraction of packet pointers in 32 bits
  return (__u32)length;
}
// Moves the frame's first byte: negative makes room in front. 0 on success; pointers into the frame
// are void after it.
SLUICE_INLINE int frame_move_head(frame* f, int delta) { return bpf_xdp_adjust_head(f, delta); }
SLUICE_INLINE int frame_move_tail(frame* f, int delta) { return bpf_xdp_adjust_tail(f, delta); }

#include "gateway/datapath/frame_whole.h"
