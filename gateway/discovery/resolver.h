// SPDX-License-Identifier: Apache-2.0
// Questions to DNS servers, on the event loop, by c-ares.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/control/discover.h"
#include "gateway/discovery/dns_answer.h"
#include "gateway/proxy/event_loop.h"
#include "tunnels/result.h"

struct ares_channeldata;

namespace sluice::gateway {

inline constexpr int kDnsTimeoutMs = 2000;  // of one try, then longer
inline constexpr int kDnsTries = 2;         // of each server

class Resolver {
 public:
  // Without servers: as /etc/resolv.conf says now.
  static Result<std::unique_ptr<Resolver>> create(EventLoop& loop,
                                                  const std::vector<Target>& servers);
  // Questions that are open then are not answered any more.
  ~Resolver();

  // An answer without records (no such name, none of this type) is an empty one. `answered` may not
  // destroy the resolver.
  using Answered = std::function<void(Result<DnsAnswer>)>;
  void ask(const std::string& name, DnsRecord record, Answered answered);

 private:
  explicit Resolver(EventLoop& loop);
  static void socket_state(void* self, int fd, int readable, int writable);
  static void done(void* question, int status, int timeouts, unsigned char* bytes, int size);
  void ready(int fd, uint32_t events);
  void set_timer();

  EventLoop& loop_;
  ares_channeldata* channel_ = nullptr;
  bool ending_ = false;
  std::map<int, std::unique_ptr<Watch>> watches_;
  Timer timer_;
};

}  // namespace sluice::gateway
