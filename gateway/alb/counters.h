// SPDX-License-Identifier: Apache-2.0
// What an application load balancer counts. One list makes the fields and their names.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::gateway {

#define SLUICE_ALB_COUNTERS(X)                                                             \
  X(connections_accepted)                                                                  \
  X(connections_refused) /* over clients_max */                                            \
  X(accept_failures)                                                                       \
  X(requests)         /* heads read to their end, good or bad */                           \
  X(requests_refused) /* answered 4xx or 5xx because of what they were */                  \
  X(client_aborts)    /* 460: gone before the answer began */                              \
  X(client_timeouts)  /* 408 */                                                            \
  X(responses_cut)    /* begun and not finished */                                         \
  X(elb_2xx)                                                                               \
  X(elb_3xx)                                                                               \
  X(elb_4xx)                                                                               \
  X(elb_5xx) /* sent to clients, whoever made them */                                      \
  X(own_2xx)                                                                               \
  X(own_3xx)                                                                               \
  X(own_4xx)                                                                               \
  X(own_5xx) /* of those, what no target said */                                           \
  X(redirects)                                                                             \
  X(fixed_responses)                                                                       \
  X(target_connections) /* new connections to targets */                                   \
  X(target_connections_reused)                                                             \
  X(target_connections_stale) /* closed by the target as a request was sent; sent again */ \
  X(target_connect_failures)                                                               \
  X(target_timeouts)         /* 504 */                                                     \
  X(target_bad_responses)    /* 502: not HTTP, or ended early */                           \
  X(target_unexpected_bytes) /* after a response; the connection is not used again */      \
  X(no_targets)              /* 503 */                                                     \
  X(fail_open)               /* requests sent though no target of the group is healthy */  \
  X(received_bytes)          /* of clients' heads and bodies, as they came */              \
  X(sent_bytes) X(log_lines_lost)

struct AlbCounters {
#define SLUICE_ALB_FIELD(name) uint64_t name = 0;
  SLUICE_ALB_COUNTERS(SLUICE_ALB_FIELD)
#undef SLUICE_ALB_FIELD

  // `own`: no target said it.
  void count_status(int status, bool own) {
    const int kind = status < 300 ? 0 : status < 400 ? 1 : status < 500 ? 2 : 3;
    ++*std::array{&elb_2xx, &elb_3xx, &elb_4xx, &elb_5xx}[static_cast<size_t>(kind)];
    if (own) ++*std::array{&own_2xx, &own_3xx, &own_4xx, &own_5xx}[static_cast<size_t>(kind)];
  }
};

// The upper ends of a histogram of seconds, as Prometheus has them.
inline constexpr std::array kResponseSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                0.25,  0.5,    1.0,   2.5,  5.0,   10.0};

// Of a target group as one load balancer uses it.
struct TargetCounters {
  uint64_t requests = 0;  // given to a target
  uint64_t connect_failures = 0;
  std::array<uint64_t, 4> status{};  // responses: 2xx, 3xx, 4xx, 5xx
  uint64_t response_us = 0;          // sum: from a request's last byte sent to its response's head
  std::array<uint64_t, kResponseSeconds.size() + 1> response_times{};  // the last: longer

  void count_response(int code, uint64_t took_us) {
    ++status[static_cast<size_t>(code < 300 ? 0 : code < 400 ? 1 : code < 500 ? 2 : 3)];
    response_us += took_us;
    size_t at = 0;
    while (at < kResponseSeconds.size() &&
           static_cast<double>(took_us) > kResponseSeconds[at] * 1e6)
      ++at;
    ++response_times[at];
  }
};

}  // namespace sluice::gateway
