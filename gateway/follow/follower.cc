// SPDX-License-Identifier: Apache-2.0
#include "gateway/follow/follower.h"

#include <algorithm>

namespace sluice::gateway {

Follower::Follower(EventLoop& loop, std::string path, World world)
    : loop_(loop),
      path_(std::move(path)),
      world_(std::move(world)),
      reader_([this](const Config& state, uint64_t generation) {
        return take_state(state, generation);
      }),
      again_(loop, [this] { connect(); }),
      report_(loop, [this] { report(); }) {}

void Follower::connect() {
  auto fd = connect_unix(path_);
  if (!fd) return lost(fd.error().text());
  auto socket = LineSocket::create(
      loop_, std::move(*fd), {kStateLineMax, kReportUnsentMax},
      [this](std::string_view line) { return take_line(line); },
      [this](const std::string& reason) { lost(reason); });
  if (!socket) return lost(socket.error().text());
  socket_ = std::move(*socket);
  ++counters_.connections;
  in_step_ = false;
  reader_.restart();
}

// Everything goes on as it is.
void Follower::lost(const std::string& reason) {
  socket_.reset();
  in_step_ = false;
  report_.cancel();
  if (reason != trouble_) world_.say("sluiced cannot be followed: " + reason);
  trouble_ = reason;
  again_.set_after(again_ms_);
  again_ms_ = std::min(2 * again_ms_, kAgainMaxMs);
}

void Follower::restart() {
  again_.cancel();
  again_ms_ = kAgainMinMs;
  socket_.reset();
  connect();
}

Result<> Follower::take_line(std::string_view line) {
  auto taken = reader_.take_line(line);
  if (!taken) ++counters_.refused;
  return taken;
}

Result<> Follower::take_state(const Config& state, uint64_t generation) {
  SLUICE_TRY_VOID(world_.take(state, generation));
  ++counters_.states;
  generation_ = generation;
  again_ms_ = kAgainMinMs;
  if (!trouble_.empty()) world_.say("sluiced is followed again");
  trouble_.clear();
  if (in_step_) return {};
  in_step_ = true;
  // The daemon of a new connection knows nothing.
  changed_targets_ = world_.targets();
  listeners_changed();
  return {};
}

void Follower::target_changed(const TargetName& name) {
  changed_targets_.insert(name);
  if (in_step_ && !report_.armed()) report_.set_after(kReportMs);
}

void Follower::listeners_changed() {
  listeners_changed_ = true;
  if (in_step_ && !report_.armed()) report_.set_after(kReportMs);
}

void Follower::report() {
  if (!in_step_) return;
  if (!write_report() || !socket_->flush()) lost("sluiced does not read");
}

bool Follower::write_report() {
  if (std::exchange(listeners_changed_, false) &&
      !socket_->write(balancers_line(world_.listeners())))
    return false;
  while (!changed_targets_.empty()) {
    std::vector<TargetReport> some;
    while (!changed_targets_.empty() && some.size() < kReportTargetsMax) {
      const TargetName name = *changed_targets_.begin();
      changed_targets_.erase(changed_targets_.begin());
      some.push_back({name, world_.health(name)});
    }
    if (!socket_->write(targets_line(some))) return false;
  }
  return true;
}

}  // namespace sluice::gateway
