// SPDX-License-Identifier: Apache-2.0
// Who owns the rows of a steering table: rendezvous hashing (Thaler and Ravishankar, "Using
// name-based mappings to increase hit rates", 1998). Each row belongs to the target with the
// highest score for it, so a target that leaves takes its own rows with it and no row of another
// moves, and one that comes back gets exactly its own again. Gateways with the same key and targets
// make the same table.
//
// The score of a target of weight w is -w / log(u), with u its even number between 0 and 1 for the
// row: it has w parts of the rows, and when a weight changes, rows move to this target or away from
// it and no others. Only how weights compare matters: equal ones make the rows of no weights. The
// logarithm is in whole numbers, so that all machines agree about the last bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gateway/datapath/tables.h"

namespace sluice::gateway {

struct RendezvousTarget {
  uint64_t id;     // the same on every gateway: rendezvous_id()
  uint16_t index;  // into the table of targets
  uint16_t weight = 1;
  bool operator==(const RendezvousTarget&) const = default;
};

// A target's name, from its address and port (packet byte order) under the gateway's key.
uint64_t rendezvous_id(const siphash_key& key, const uint32_t address[4], uint16_t port);

// The owner of row `row_number`, kNone16 without targets. Equal scores go to the lower id.
uint16_t rendezvous_owner(std::span<const RendezvousTarget> targets, uint32_t row_number);

// Gives each row to its owner. A row that changes hands keeps its former owner as `previous` and
// `now_s` as `since_s`; other rows are not written. Returns how many changed hands.
uint32_t fill_rows(std::span<row> rows, std::span<const RendezvousTarget> targets, uint32_t now_s);

// The same for rows that were filled for `before`, at the cost of what came and went: a row is
// searched only if its owner went, and else compared with those that came.
uint32_t refill_rows(std::span<row> rows, std::span<const RendezvousTarget> before,
                     std::span<const RendezvousTarget> targets, uint32_t now_s);

// Makes rows nobody's, without a past.
void clear_rows(std::span<row> rows);

}  // namespace sluice::gateway
