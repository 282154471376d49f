// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/target_pool.h"

#include <algorithm>

namespace sluice::gateway {

PooledTarget::PooledTarget(const Target& target) : target_(target) {
  auto address = SocketAddress::parse(target.address.text(), target.port);
  SLUICE_CHECK(address);
  address_ = *address;
  text_ = address_.text();
}

std::unique_ptr<Socket> PooledTarget::take() {
  while (!idle_.empty()) {
    std::unique_ptr<Socket> socket = std::move(idle_.back().socket);
    idle_.pop_back();
    if (socket->is_quiet()) return socket;
  }
  return nullptr;
}

void PooledTarget::keep(std::unique_ptr<Socket> socket, uint64_t until_ms) {
  if (idle_.size() >= kIdlePerTargetMax) return;
  socket->set_wakeup(nullptr);
  idle_.push_back({std::move(socket), until_ms});
}

void PooledTarget::close_idle(uint64_t now_ms) {
  std::erase_if(idle_, [now_ms](const Idle& idle) {
    return idle.until_ms <= now_ms || !idle.socket->is_quiet();
  });
}

TargetPool::TargetPool(const TargetGroup& group) : name_(group.name) {
  for (const Target& target : group.targets) targets_.emplace_back(target);
}

PooledTarget* TargetPool::find(const Target& target) {
  auto at = std::find_if(targets_.begin(), targets_.end(),
                         [&](const PooledTarget& each) { return each.target() == target; });
  return at == targets_.end() ? nullptr : &*at;
}

bool TargetPool::any_healthy() const {
  return std::any_of(targets_.begin(), targets_.end(), [](const auto& t) { return t.healthy; });
}

PooledTarget* TargetPool::pick(const PooledTarget* avoid) {
  if (targets_.empty()) return nullptr;
  bool open = !any_healthy();
  PooledTarget* last_resort = nullptr;
  for (size_t tried = 0; tried < targets_.size(); ++tried) {
    PooledTarget& target = targets_[next_];
    next_ = (next_ + 1) % targets_.size();
    if (!open && !target.healthy) continue;
    if (&target != avoid) return &target;
    last_resort = &target;
  }
  return last_resort;
}

}  // namespace sluice::gateway
