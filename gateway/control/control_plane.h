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
#include <string>
#include <vector>

#include "gateway/control/changes.h"
#include "gateway/control/model.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class Controller;

// Changes a copy of the desired state. An error from it ends the commit and is given back as it is.
using Change = std::function<Result<>(Config& next)>;

struct Commit {
  uint64_t generation = 0;            // that is in effect now
  std::vector<ObjectChange> changes;  // none: it was so already, and no generation was made
};
using CommitResult = Result<Commit, std::vector<Error>>;

class ControlPlane {
 public:
  // Beside the controller's, for what else a state needs in the world (addresses of NLB listeners).
  // Called with the state to be; on an error everything goes back to what it was.
  using Also = std::function<Result<>(const Config&)>;

  // `controller` outlives it.
  explicit ControlPlane(Controller& controller, Also also = {});

  // The first state, before anything else. Interfaces that are missing are an error.
  Result<> start(Config config);

  // Copies the state, runs `change` on the copy, validates it as a whole, brings the data path to
  // it and returns; on any error everything is as it was. `author` names who asked ("file",
  // "socket", "aws:KEY").
  CommitResult commit(std::string_view author, const Change& change);
  // The same up to the point where something would happen.
  CommitResult dry_run(const Change& change) const;

  const Config& config() const;
  uint64_t generation() const { return generation_; }
  const Controller& controller() const { return controller_; }

 private:
  struct Prepared {
    Config next;
    std::vector<ObjectChange> changes;
  };
  Result<Prepared, std::vector<Error>> prepare(const Change& change) const;
  Result<> put_into_effect(Config next);
  void tell(std::string_view author, const std::vector<ObjectChange>& changes);

  Controller& controller_;
  Also also_;
  uint64_t generation_ = 0;
};

}  // namespace sluice::gateway
