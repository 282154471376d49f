// SPDX-License-Identifier: Apache-2.0
// Objects as JSON in the words of the configuration file, plus what only the gateway knows (`id`,
// `created`, `origin`). Values that are the default are left out. The store keeps this, a diff
// shows it, and `sluice export` prints it as YAML.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/control/model.h"

namespace sluice::gateway {

nlohmann::ordered_json to_json(const LoadBalancer& load_balancer);
nlohmann::ordered_json to_json(const TargetGroup& group);
nlohmann::ordered_json to_json(const Attachment& attachment);
nlohmann::ordered_json to_json(const EndpointService& service);
nlohmann::ordered_json to_json(const PolicyRule& rule);

}  // namespace sluice::gateway
