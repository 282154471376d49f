// SPDX-License-Identifier: Apache-2.0
// The difference between two states, object by object, and the changes that more than one caller
// asks for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "gateway/control/object_change.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// In the order of kind and name.
std::vector<ObjectChange> changes_between(const Config& before, const Config& after);

// For commit(): makes the state what `file` says. Objects that an earlier file brought and this one
// does not have go away; those made over an API stay, and stay theirs until a file changes them. An
// object that is there keeps its id.
Result<> apply_file(Config& next, Config file);

// Puts what an object is after a change in the place of what it was.
Result<> replace_object(Config& next, const ObjectChange& change);

// Fills ids and times that are empty. What a file brings gets the same id on every start.
void complete(Config& next, uint64_t now_ms);

// For commit(). The port 0 stands for the group's.
Result<> register_target(Config& next, const std::string& group, Target target);
Result<> deregister_target(Config& next, const std::string& group, Target target);

}  // namespace sluice::gateway
