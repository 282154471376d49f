// SPDX-License-Identifier: Apache-2.0
// What an application load balancer counts. One list makes the fields and their names.
#pragma once

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
  X(elb_5xx)            /* sent to clients, whoever made them */                           \
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

  void count_status(int status) {
    if (status < 300)
      ++elb_2xx;
    else if (status < 400)
      ++elb_3xx;
    else if (status < 500)
      ++elb_4xx;
    else
      ++elb_5xx;
  }
};

}  // namespace sluice::gateway
