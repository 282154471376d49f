// SPDX-License-Identifier: Apache-2.0
// The targets whose addresses are the values under a prefix of an etcd. A list tells all there is;
// a watch from the list's revision on tells that something changed, and then the next list is asked
// for. So nothing is missed between the two, and a compacted revision needs no case of its own.
#pragma once

#include <memory>
#include <string>

#include "gateway/discovery/source.h"
#include "gateway/proxy/socket.h"
#include "gateway/proxy/task.h"

namespace sluice::gateway {

class EtcdSource : public Source {
 public:
  EtcdSource(EventLoop& loop, DiscoverSettings settings, Heard heard, uint32_t second_ms);
  ~EtcdSource() override;

 private:
  Task<> run();
  Task<Result<int64_t>> list();
  Task<Result<>> watch(int64_t from_revision);
  uint64_t after_s(uint32_t seconds) const;
  const Target& endpoint() const;

  EventLoop& loop_;
  const DiscoverSettings settings_;
  const Heard heard_;
  const uint32_t second_ms_;
  Backoff backoff_;
  size_t endpoint_ = 0;
};

}  // namespace sluice::gateway
