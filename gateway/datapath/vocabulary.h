// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What the headers of the packet path are written with, in C for the kernel and in C++.
#pragma once

#include "tunnels/flow_key.h"

#ifdef __cplusplus
#define SLUICE_GATEWAY_BEGIN  \
  namespace sluice::gateway { \
  using namespace ::sluice::tunnels;  // NOLINT: the packet path is one vocabulary
#define SLUICE_ASSERT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type)
#else
#define SLUICE_GATEWAY_BEGIN
#define SLUICE_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#endif
