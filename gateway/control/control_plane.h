// SPDX-License-Identifier: Apache-2.0
// The one way to change a running gateway. The file, the command line and every API hand in a
// change to the whole desired state; it takes effect as a whole or not at all.
//
//   auto done = plane.commit("aws:admin", [&](Config& next) -> Result<> {
//     TargetGroup group;
//     group.name = name;
//     next.target_groups.push_back(group);
//     return {};
//   });
//   if (!done) ...  // done.error(): everything that is wrong, each with its object's path
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/control/changes.h"
#include "gateway/control/controller.h"
#include "gateway/control/export.h"
#include "gateway/control/model.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class Store;

// Changes a copy of the desired state. An error from it ends the commit and is given back as it is.
using Change = std::function<Result<>(Config& next)>;

struct Commit {
  uint64_t generation = 0;            // that is in effect now
  std::vector<ObjectChange> changes;  // none: it was so already, and no generation was made
  std::vector<SectionChange> sections;
};
using CommitResult = Result<Commit, std::vector<Error>>;

class ControlPlane {
 public:
  // Beside the controller's, for what else a state needs in the world (addresses of NLB listeners).
  // Called with the state to be; on an error everything goes back to what it was. A state that was
  // in effect before (at a start from the store) must not fail for an interface that is not there:
  // then it is to be waited for.
  using OnMissing = Controller::OnMissing;
  using Also = std::function<Result<>(const Config&, OnMissing)>;

  // `controller` outlives it. Without a store the state lives as long as this.
  explicit ControlPlane(Controller& controller, Also also = {});
  ControlPlane(Controller& controller, Also also, std::unique_ptr<Store> store);
  ~ControlPlane();

  // The first state, before anything else: the file's when the store is empty, else that of the
  // store under the file's sections `gateway` and `network`. The file changes it first if it is
  // another than last time, or if the stored objects do not fit those sections. When that cannot
  // be, they run as they are, and this gives back what was wrong with the change.
  Result<std::vector<Error>> start(Config file);

  // Copies the state, runs `change` on the copy, validates it as a whole, writes it to the store,
  // brings the data path to it and returns; on any error everything is as it was. `author` names
  // who asked ("file", "socket", "aws:KEY"). `digest`: of the daemon's file, if it is what changes.
  CommitResult commit(std::string_view author, const Change& change, std::string_view digest = {});
  // The same up to the point where something would happen; it refuses what can be known before.
  CommitResult dry_run(const Change& change) const;

  // A change back (or forth) to the state of a generation.
  Result<Change> change_to(uint64_t generation);

  const Config& config() const;
  uint64_t generation() const;
  const Controller& controller() const { return controller_; }
  Store& store() { return *store_; }
  Watching& watching() { return controller_.watching(); }

 private:
  struct Prepared {
    Config next;
    std::vector<ObjectChange> changes;
    std::vector<SectionChange> sections;
  };
  Result<Prepared, std::vector<Error>> prepare(const Change& change) const;
  Result<std::vector<Error>> start_stored(const Config& file);
  Result<void, std::vector<Error>> start_merged(const Config& stored, const Config& file);
  Result<Config> stored_state(const Config& file);
  Result<> put_into_effect(Config next, OnMissing on_missing = OnMissing::kRefuse);
  void tell(std::string_view author, const std::vector<ObjectChange>& changes);

  Controller& controller_;
  Also also_;
  std::unique_ptr<Store> store_;
};

}  // namespace sluice::gateway
