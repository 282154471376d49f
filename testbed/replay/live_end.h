// SPDX-License-Identifier: Apache-2.0
// One end of a live replay: an interface in a namespace of a lab, where captured frames are sent
// and where those of the other end arrive. Needs root.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "appliances/sdk/socket.h"
#include "tunnels/result.h"

namespace sluice::testbed {

using MacBytes = std::array<uint8_t, 6>;

class LiveEnd {
 public:
  // `own` and `other` are the two ends' addresses for the time of the replay. They belong to no
  // host of the lab, so that no host answers what is replayed.
  static Result<LiveEnd> open(const std::string& network_namespace, const std::string& interface,
                              const MacBytes& own, const MacBytes& other);

  // Writes the two ends' addresses into the frame and sends it. False if the interface refused it.
  bool send(std::span<uint8_t> frame);
  // Lets switches on the way learn where this end is. A frame of no protocol; not counted.
  void announce();
  // Takes what has arrived from the other end; IP frames count.
  void receive();

  int fd() const { return socket_.fd(); }
  uint64_t arrived() const { return arrived_; }
  // Arrived, and lost in this socket's queue because receive() was called too seldom.
  uint64_t overflowed();

 private:
  LiveEnd(sdk::Socket socket, const MacBytes& own, const MacBytes& other)
      : socket_(std::move(socket)), own_(own), other_(other) {}

  sdk::Socket socket_;
  MacBytes own_;
  MacBytes other_;
  uint64_t arrived_ = 0;
  uint64_t overflowed_ = 0;
};

}  // namespace sluice::testbed
