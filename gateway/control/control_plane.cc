// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/control_plane.h"

#include <chrono>

#include "gateway/control/attributes.h"
#include "gateway/control/controller.h"
#include "gateway/control/validate.h"

namespace sluice::gateway {
namespace {

uint64_t unix_ms() {
  using namespace std::chrono;
  return static_cast<uint64_t>(
      duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

tl::unexpected<std::vector<Error>> one(Error error) {
  return tl::make_unexpected(std::vector<Error>{std::move(error)});
}

// What the state before forbids in the one after.
void check_protection(const Config& before, const Config& after, std::vector<Error>& errors) {
  for (const LoadBalancer& lb : before.load_balancers)
    if (deletion_protected(lb) && after.load_balancer(lb.name) == nullptr)
      errors.push_back({"load balancer '" + lb.name +
                            "' cannot be deleted while deletion_protection.enabled is true",
                        "load_balancers",
                        {}});
}

}  // namespace

ControlPlane::ControlPlane(Controller& controller, Also also)
    : controller_(controller), also_(std::move(also)) {}

const Config& ControlPlane::config() const { return controller_.config(); }

Result<> ControlPlane::start(Config config) {
  complete(config, unix_ms());
  SLUICE_TRY_VOID(put_into_effect(std::move(config)));
  generation_ = 1;
  return {};
}

Result<ControlPlane::Prepared, std::vector<Error>> ControlPlane::prepare(
    const Change& change) const {
  Prepared out{config(), {}};
  if (auto changed = change(out.next); !changed) return one(std::move(changed).error());
  complete(out.next, unix_ms());
  std::vector<Error> errors = validate(out.next);
  check_protection(config(), out.next, errors);
  if (!errors.empty()) return tl::make_unexpected(std::move(errors));
  out.changes = changes_between(config(), out.next);
  return out;
}

CommitResult ControlPlane::dry_run(const Change& change) const {
  SLUICE_TRY(Prepared prepared, prepare(change));
  return Commit{generation_, std::move(prepared.changes)};
}

CommitResult ControlPlane::commit(std::string_view author, const Change& change) {
  SLUICE_TRY(Prepared prepared, prepare(change));
  const bool same = prepared.changes.empty() && prepared.next.gateway == config().gateway &&
                    prepared.next.network == config().network;
  if (same) return Commit{generation_, {}};
  if (auto done = put_into_effect(std::move(prepared.next)); !done)
    return one(std::move(done).error());
  if (!prepared.changes.empty()) {
    generation_++;
    tell(author, prepared.changes);
  }
  return Commit{generation_, std::move(prepared.changes)};
}

void ControlPlane::tell(std::string_view author, const std::vector<ObjectChange>& changes) {
  EventBus& events = controller_.events();
  const std::string number = std::to_string(generation_);
  events.publish(EventKind::kGeneration, EventLevel::kInfo,
                 "generation " + number + " by " + std::string(author),
                 {{"generation", number},
                  {"author", std::string(author)},
                  {"changes", std::to_string(changes.size())}});
  for (const ObjectChange& change : changes) {
    if (change.kind != ObjectKind::kAttachment) continue;
    if (change.before.empty())
      events.publish(EventKind::kAttached, EventLevel::kInfo,
                     "attachment " + change.name + " joined", {{"attachment", change.name}});
    if (change.after.empty())
      events.publish(EventKind::kDetached, EventLevel::kInfo, "attachment " + change.name + " left",
                     {{"attachment", change.name}});
  }
}

Result<> ControlPlane::put_into_effect(Config next) {
  Result<> done;
  if (also_) done = also_(next);
  if (done) done = controller_.apply(std::move(next));
  // The controller has gone back by itself.
  if (!done && also_) (void)also_(config());
  return done;
}

}  // namespace sluice::gateway
