// SPDX-License-Identifier: Apache-2.0
// The tables of the store. kMigrations[n] brings version n to n + 1, so a new one is made from all
// of them. A released entry is never edited; fixtures/ has a database of every released version.
#pragma once

#include <span>

namespace sluice::gateway {

inline constexpr const char* kMigrations[] = {
    R"(
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE objects(kind TEXT NOT NULL, name TEXT NOT NULL, json TEXT NOT NULL,
                     PRIMARY KEY(kind, name)) WITHOUT ROWID;
CREATE TABLE generations(number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,
                         author TEXT NOT NULL, summary TEXT NOT NULL);
CREATE TABLE changes(generation INTEGER NOT NULL REFERENCES generations ON DELETE CASCADE,
                     kind TEXT NOT NULL, name TEXT NOT NULL, before TEXT NOT NULL,
                     after TEXT NOT NULL, PRIMARY KEY(generation, kind, name)) WITHOUT ROWID;
)",
};

inline constexpr int kSchemaVersion = static_cast<int>(std::size(kMigrations));
// "SLCE": what PRAGMA application_id tells a store of ours by.
inline constexpr int kApplicationId = 0x534c4345;

}  // namespace sluice::gateway
