// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/target_pool.h"

#include <algorithm>
#include <map>

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
  if (idle_.size() >= kIdlePerTargetMax || leaves_ms != 0) return;
  socket->set_wakeup(nullptr);
  idle_.push_back({std::move(socket), until_ms});
}

void PooledTarget::close_idle(uint64_t now_ms) {
  std::erase_if(idle_, [now_ms](const Idle& idle) {
    return idle.until_ms <= now_ms || !idle.socket->is_quiet();
  });
}

const std::shared_ptr<PooledTarget>* TargetPool::find(const Target& target) const {
  auto at = std::ranges::find_if(targets_, [&](const auto& t) { return t->target() == target; });
  return at == targets_.end() ? nullptr : &*at;
}

TargetPool::Targets TargetPool::update(const std::vector<Target>& targets) {
  std::map<Target, std::shared_ptr<PooledTarget>> old;
  for (auto& target : targets_) old.emplace(target->target(), std::move(target));
  targets_.clear();
  for (const Target& target : targets) {
    const auto there = old.find(target);
    if (there == old.end()) {
      targets_.push_back(std::make_shared<PooledTarget>(target));
    } else {
      targets_.push_back(std::move(there->second));
      old.erase(there);
    }
  }
  healthy_ = static_cast<size_t>(
      std::ranges::count_if(targets_, [](const auto& target) { return target->healthy(); }));
  next_ = targets_.empty() ? 0 : next_ % targets_.size();
  Targets left;
  for (auto& [target, pooled] : old) left.push_back(std::move(pooled));
  return left;
}

void TargetPool::set_healthy(PooledTarget& target, bool healthy) {
  if (target.healthy_ == healthy) return;
  target.healthy_ = healthy;
  healthy ? ++healthy_ : --healthy_;
}

std::shared_ptr<PooledTarget> TargetPool::pick(const PooledTarget* avoid) {
  std::shared_ptr<PooledTarget> last_resort;
  for (size_t tried = 0; tried < targets_.size(); ++tried) {
    const auto& target = targets_[next_];
    next_ = next_ + 1 == targets_.size() ? 0 : next_ + 1;
    if (any_healthy() && !target->healthy()) continue;
    if (target.get() != avoid) return target;
    last_resort = target;
  }
  return last_resort;
}

}  // namespace sluice::gateway
