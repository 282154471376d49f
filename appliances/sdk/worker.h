// SPDX-License-Identifier: Apache-2.0
// One thread's share of a live appliance: its socket, its instance of the appliance, its counters.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/counters.h"
#include "appliances/sdk/errands.h"
#include "appliances/sdk/queue_clock.h"
#include "appliances/sdk/reply_batch.h"
#include "appliances/sdk/socket.h"
#include "tunnels/result.h"

namespace sluice::sdk {

inline constexpr size_t kReceiveBatchMax = 32;       // datagrams taken with one system call
inline constexpr int64_t kTickIntervalUs = 100'000;  // how often tick() is called
inline constexpr int kReceiveBufferBytes = 8 << 20;  // the kernel's queue in front of the worker

class Worker {
 public:
  // Opens and binds the socket; datagrams queue from now on. All workers of an appliance bind the
  // same address: the kernel spreads datagrams by outer address and source port (SO_REUSEPORT). The
  // gateway gives both directions of a flow the same source port, so a flow stays with one worker.
  // The first of a program must find the port free; the others share it.
  struct Where {
    std::string listen;
    uint16_t port = 0;
    bool first = true;
    bool stamps = false;  // packets say how long they have waited
  };
  static Result<std::unique_ptr<Worker>> create(const Where& where,
                                                std::unique_ptr<Appliance> appliance);

  // Handles datagrams until `stop`; then finishes the appliance. Looks at `stop` at least every 100
  // ms.
  void run(const std::atomic<bool>& stop);

  const Counters& counters() const { return counters_; }
  // Done before the next batch; when no packet comes, within 100 ms.
  Errands& errands() { return errands_; }
  // When the worker last went round its loop, on the steady clock; 0 before it runs.
  int64_t last_round_us() const { return last_round_us_.load(std::memory_order_relaxed); }

 private:
  Worker(Socket socket, uint16_t port, std::unique_ptr<Appliance> appliance);
  void handle_batch(int count, int64_t time_us);
  void rearm();

  struct Control {
    alignas(cmsghdr) uint8_t bytes[128];
  };

  Socket socket_;
  std::unique_ptr<Appliance> appliance_;
  Counters counters_;
  Errands errands_;
  ReplyBatch replies_;
  QueueClock queue_clock_;
  std::atomic<int64_t> last_round_us_{0};
  std::vector<uint8_t> buffers_;
  std::vector<iovec> vectors_;
  std::vector<SocketName> senders_;
  std::vector<Control> controls_;
  std::vector<mmsghdr> messages_;
};

// The steady clock, microseconds.
int64_t steady_us();

}  // namespace sluice::sdk
