// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/control_plane.h"

#include <chrono>

#include "gateway/control/attributes.h"
#include "gateway/control/config.h"
#include "gateway/control/validate.h"
#include "gateway/store/store.h"

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
  if (before.load_balancers.same_objects(after.load_balancers)) return;
  for (const LoadBalancer& lb : before.load_balancers) {
    const LoadBalancer* now = after.load_balancer(lb.name);
    if (!deletion_protected(lb) || (now != nullptr && now->type == lb.type)) continue;
    const std::string what = now == nullptr
                                 ? "be deleted"
                                 : "become one of type " + std::string(type_name(now->type)) +
                                       ", which would delete it,";
    errors.push_back({"load balancer '" + lb.name + "' cannot " + what +
                          " while deletion_protection.enabled is true",
                      "load_balancers",
                      {}});
  }
}

}  // namespace

ControlPlane::ControlPlane(Controller& controller, Also also, std::unique_ptr<Store> store)
    : controller_(controller), also_(std::move(also)), store_(std::move(store)) {
  if (store_) return;
  auto memory = Store::open(":memory:");
  SLUICE_CHECK(memory);
  store_ = std::move(*memory);
}

ControlPlane::ControlPlane(Controller& controller, Also also)
    : ControlPlane(controller, std::move(also), nullptr) {}

ControlPlane::~ControlPlane() = default;

const Config& ControlPlane::config() const { return controller_.config(); }
uint64_t ControlPlane::generation() const { return store_->generation(); }

Result<std::vector<Error>> ControlPlane::start(Config file) {
  if (store_->generation() != 0) return start_stored(file);
  complete(file, unix_ms());
  SLUICE_TRY_VOID(store_->prepare({unix_ms(), "file", file.digest}, changes_between({}, file)));
  if (auto done = put_into_effect(std::move(file)); !done) {
    store_->cancel();
    return tl::make_unexpected(std::move(done).error());
  }
  SLUICE_TRY_VOID(store_->commit());
  return std::vector<Error>{};
}

// An edit of the file may belong together: the stored objects need not fit its sections `gateway`
// and `network` as long as they do with what it says about them.
Result<std::vector<Error>> ControlPlane::start_stored(const Config& file) {
  SLUICE_TRY(const std::string digest, store_->file_digest());
  SLUICE_TRY(Config stored, stored_state(file));
  const std::vector<Error> unfit = validate(stored);
  std::vector<Error> refused;
  if (digest != file.digest || !unfit.empty()) {
    auto merged = start_merged(stored, file);
    if (merged) return std::vector<Error>{};
    refused = std::move(merged).error();
  }
  const Result<> done = unfit.empty() ? put_into_effect(std::move(stored), OnMissing::kWait)
                                      : Result<>(tl::make_unexpected(unfit.front()));
  if (done) return refused;
  if (refused.empty()) return tl::make_unexpected(done.error());
  return fail("the file cannot be applied to the state in the store: " + refused.front().text() +
                  "; nor can that state run with the file: " + done.error().text(),
              file.file);
}

// An interface may have gone with the machine's last run; the rest need not wait for it.
Result<void, std::vector<Error>> ControlPlane::start_merged(const Config& stored,
                                                            const Config& file) {
  Config next = stored;
  if (auto merged = apply_file(next, file); !merged) return one(std::move(merged).error());
  complete(next, unix_ms());
  std::vector<Error> errors = validate(next);
  check_protection(stored, next, errors);
  if (!errors.empty()) return tl::make_unexpected(std::move(errors));
  const std::vector<ObjectChange> changes = changes_between(stored, next);
  if (auto written = store_->prepare({unix_ms(), "file", file.digest}, changes); !written)
    return one(std::move(written).error());
  if (auto done = put_into_effect(std::move(next), OnMissing::kWait); !done) {
    store_->cancel();
    return one(std::move(done).error());
  }
  if (auto last = store_->commit(); !last) return one(std::move(last).error());
  if (!changes.empty()) tell("file", changes);
  return {};
}

// The objects of the store under the sections of the file that are not stored. Not validated.
Result<Config> ControlPlane::stored_state(const Config& file) {
  Config out;
  out.file = file.file;
  out.gateway = file.gateway;
  out.network = file.network;
  SLUICE_TRY(const std::vector<StoredObject> objects, store_->objects());
  for (const StoredObject& object : objects)
    SLUICE_TRY_VOID(read_object(object.kind, object.json, out));
  return out;
}

Result<ControlPlane::Prepared, std::vector<Error>> ControlPlane::prepare(
    const Change& change) const {
  Prepared out{config(), {}, {}};
  if (auto changed = change(out.next); !changed) return one(std::move(changed).error());
  complete(out.next, unix_ms());
  std::vector<Error> errors = validate_change(config(), out.next);
  check_protection(config(), out.next, errors);
  if (!errors.empty()) return tl::make_unexpected(std::move(errors));
  out.changes = changes_between(config(), out.next);
  out.sections = sections_between(config(), out.next);
  return out;
}

CommitResult ControlPlane::dry_run(const Change& change) const {
  SLUICE_TRY(Prepared prepared, prepare(change));
  if (auto fits = controller_.check(prepared.next); !fits) return one(std::move(fits).error());
  return Commit{generation(), std::move(prepared.changes), std::move(prepared.sections)};
}

CommitResult ControlPlane::commit(std::string_view author, const Change& change,
                                  std::string_view digest) {
  SLUICE_TRY(Prepared prepared, prepare(change));
  const bool same = prepared.changes.empty() && prepared.sections.empty();
  if (same && digest.empty()) return Commit{generation(), {}, {}};
  // Written but not final: what the store cannot take must not reach the data path.
  if (auto written = store_->prepare({unix_ms(), author, digest}, prepared.changes); !written)
    return one(std::move(written).error());
  Config before = config();
  Result<> done;
  if (!same) done = put_into_effect(std::move(prepared.next));
  if (!done) {
    store_->cancel();
    return one(std::move(done).error());
  }
  if (auto last = store_->commit(); !last) {
    (void)put_into_effect(std::move(before), OnMissing::kWait);
    return one(std::move(last).error());
  }
  if (!prepared.changes.empty()) tell(author, prepared.changes);
  return Commit{generation(), std::move(prepared.changes), std::move(prepared.sections)};
}

void ControlPlane::tell(std::string_view author, const std::vector<ObjectChange>& changes) {
  EventBus& events = controller_.events();
  const std::string number = std::to_string(generation());
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

Result<Change> ControlPlane::change_to(uint64_t target) {
  SLUICE_TRY(std::vector<ObjectChange> changes, store_->changes(generation(), target));
  return Change([changes = std::move(changes)](Config& next) -> Result<> {
    for (const ObjectChange& change : changes) SLUICE_TRY_VOID(replace_object(next, change));
    return {};
  });
}

Result<> ControlPlane::put_into_effect(Config next, OnMissing on_missing) {
  // What is checked now takes no address away and back if it is refused.
  Result<> done = controller_.check(next, on_missing);
  if (done && also_) done = also_(next, on_missing);
  if (done) done = controller_.apply(std::move(next), on_missing);
  // The controller has gone back by itself.
  if (!done && also_) (void)also_(config(), OnMissing::kWait);
  return done;
}

}  // namespace sluice::gateway
