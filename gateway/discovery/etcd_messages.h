// SPDX-License-Identifier: Apache-2.0
// What is said to etcd (v3, the JSON form of its gRPC API) and what it answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/discovery/source.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// Bodies of POST /v3/kv/range and /v3/watch.
std::string etcd_list_request(std::string_view prefix);
std::string etcd_watch_request(std::string_view prefix, int64_t from_revision);

struct EtcdList {
  Found found;
  int64_t revision = 0;
};
// Each value is `address[:port]`; at most kTargetsPerGroupMax are taken.
Result<EtcdList> parse_etcd_list(std::string_view body);

// One line of a watch. kChanged: also that the revision is compacted, or the watch was cancelled
// for another reason: then only a new list tells what there is.
enum class EtcdWord { kNothing, kChanged };
Result<EtcdWord> parse_etcd_word(std::string_view line);

// What an answer other than 200 says, for a person.
std::string etcd_complaint(int status, std::string_view body);

}  // namespace sluice::gateway
