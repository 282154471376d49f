// SPDX-License-Identifier: Apache-2.0
// A bounded table of flows, both directions in one record, each with a `State` of its user's
// choice.
//
// Records live in chunks that are made as the table grows and are never moved, so a Record* is good
// until the flow ends. Ends are told to one callback: idle too long, evicted from a full table,
// replaced by a new connection with the same tuple, or shutdown. The hash is keyed: nobody outside
// can aim at a bucket. With the same packets, times and key, everything happens in the same order
// again.
//
//   FlowTable<MyState> flows(options, [](auto& record, FlowEnd end) { ... });
//   auto& record = *flows.see(packet, time_us).record;
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "inspect/stream/flow.h"

namespace sluice::inspect {

inline constexpr uint32_t kFlowsMaxLimit = 1u << 24;
// Of one expire() or rest() call, so that a tick is never long.
inline constexpr uint32_t kExpirePerCallMax = 4096;
inline constexpr uint32_t kRestPerCallMax = 1024;

// What is done with flows that are silent; each goes through all of them by itself.
enum class FlowSweep : uint8_t { kRest, kCut, kForget };
inline constexpr size_t kFlowSweeps = 3;

// Another one for each process.
tunnels::siphash_key random_flow_key();

struct FlowTableOptions {
  // Flows at once; beyond it the least valuable and longest idle one is evicted. At most
  // kFlowsMaxLimit.
  uint32_t flows_max = 65536;
  // A constant, with which everything happens the same each time; random_flow_key() where packets
  // come from strangers.
  tunnels::siphash_key key{0x736c756963650001, 0x736c756963650002};
  // Idle seconds by state: new, established, closed. Longer than the gateway's own (350 s for TCP,
  // 120 s for others), so that the gateway never knows a flow that is forgotten here.
  std::array<int, 3> tcp_idle_seconds = {60, 600, 60};
  std::array<int, 3> other_idle_seconds = {30, 300, 30};
  // In a TCP connection met in its middle the end with a port below 1024 is the server, if only one
  // has such a one; else who is heard first is the client.
  bool server_by_port = false;
};

struct FlowTableCounters {
  uint64_t created = 0;
  uint64_t timed_out = 0;
  uint64_t evicted = 0;
  uint64_t replaced = 0;
};

template <class State>
class FlowTable {
 public:
  struct Record : Flow {
    State user{};

   private:
    friend class FlowTable;
    uint32_t chain_ = kNone;  // next in bucket, or next free
    uint32_t older_ = kNone;
    uint32_t newer_ = kNone;
    uint8_t list_ = 0;
    bool used_ = false;
    uint32_t index_ = 0;
    uint64_t hash_ = 0;
  };
  struct Seen {
    Record* record;
    Direction direction;
    bool created;
    bool replaced;  // in the place of a connection that seems to have ended
  };
  using OnEnd = std::function<void(Record&, FlowEnd)>;

  FlowTable(const FlowTableOptions& options, OnEnd on_end)
      : options_(options),
        hash_key_(tunnels::flow_hash_key_from(&options.key)),
        flows_max_(std::clamp<uint32_t>(options.flows_max, 1, kFlowsMaxLimit)),
        buckets_(std::bit_ceil(flows_max_), kNone),
        on_end_(std::move(on_end)) {}

  // Finds the packet's flow or starts it, and counts the packet in it. Flows of the same tuple in
  // other spaces (VLANs, tunnels) are other flows.
  Seen see(const tunnels::packet& packet, int64_t time_us, uint16_t space = 0) {
    tunnels::flow_key key;
    const bool reversed = tunnels::flow_key_from_tuple(&key, &packet.tuple) != 0;
    key.zero = space;
    const uint64_t hash = tunnels::flow_hash(&hash_key_, &key, tunnels::kFlowHash5Tuple);
    Record* record = lookup(packet.tuple, reversed, space, hash);
    bool replaced = false;
    if (record != nullptr && idle_too_long(*record, time_us)) {
      end(*record, FlowEnd::kTimeout);
      record = nullptr;
    } else if (record != nullptr &&
               starts_new_connection(*record, packet, direction_of(*record, reversed))) {
      replaced = record->state == FlowState::kClosed;
      end(*record, FlowEnd::kReplaced);
      record = nullptr;
    }
    const bool created = record == nullptr;
    if (created) record = &create(packet, space, hash, time_us);
    return {record, count(*record, packet, reversed, time_us), created, replaced};
  }

  // The packet, seen as one of `record`, begins another connection with its tuple.
  Seen begin_again(Record& record, const tunnels::packet& packet, int64_t time_us) {
    const uint16_t space = record.space;
    const uint64_t hash = record.hash_;
    end(record, FlowEnd::kReplaced);
    Record& next = create(packet, space, hash, time_us);
    const bool reversed = tunnels::tuple_is_reversed(&packet.tuple) != 0;
    return {&next, count(next, packet, reversed, time_us), true, true};
  }

  // The flow of this tuple, either direction; nullptr if there is none.
  Record* find(const tunnels::tuple& tuple, uint16_t space = 0) {
    tunnels::flow_key key;
    const bool reversed = tunnels::flow_key_from_tuple(&key, &tuple) != 0;
    key.zero = space;
    return lookup(tuple, reversed, space,
                  tunnels::flow_hash(&hash_key_, &key, tunnels::kFlowHash5Tuple));
  }

  // Ends flows that were idle too long, at most kExpirePerCallMax of them.
  void expire(int64_t time_us) {
    uint32_t left = kExpirePerCallMax;
    for (uint32_t list = 0; list < kLists; list++) {
      while (left != 0 && lists_[list].oldest != kNone &&
             idle_too_long(at(lists_[list].oldest), time_us)) {
        end(at(lists_[list].oldest), FlowEnd::kTimeout);
        left--;
      }
    }
  }

  // Tells of flows that have been silent for so long, each once until its next packet; at most
  // kRestPerCallMax of them.
  template <class OnRest>
  void rest(int64_t time_us, int64_t silent_us, OnRest on_rest) {
    sweep(FlowSweep::kRest, kRestPerCallMax, [&](Record& record) {
      if (time_us - record.last_us < silent_us) return false;
      on_rest(record);
      return true;
    });
  }

  // Tells of flows, the longest silent first, each once in each sweep until its next packet; at
  // most so many of them, and only until `on_flow` says no: that one comes first the next time.
  template <class OnFlow>
  void sweep(FlowSweep which, uint32_t flows, OnFlow on_flow) {
    for (; flows != 0; flows--) {
      List* const list = longest_silent(which);
      if (list == nullptr) return;
      const uint32_t next = next_in(*list, which);
      if (!on_flow(at(next))) return;
      list->swept[static_cast<size_t>(which)] = next;
    }
  }

  // Ends every flow, in the order of the records.
  void end_all(FlowEnd reason) {
    for (uint32_t i = 0; i < records_made_; i++) {
      if (at(i).used_) end(at(i), reason);
    }
  }

  // A new flow has no place but that of an established one that is in use.
  bool is_full_of_established(int64_t time_us) {
    if (size_ != flows_max_) return false;
    for (const bool tcp : {true, false}) {
      for (const FlowState state : {FlowState::kClosed, FlowState::kNew})
        if (lists_[list_of(tcp, state)].oldest != kNone) return false;
    }
    return idle_established(time_us) == kNone;
  }

  uint32_t size() const { return size_; }
  // Bytes that it has taken; it gives none back.
  size_t memory() const {
    return buckets_.size() * sizeof(uint32_t) + chunks_.size() * kChunk * sizeof(Record);
  }
  const FlowTableCounters& counters() const { return counters_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kChunk = 256;
  static constexpr uint32_t kLists = 6;
  struct List {
    uint32_t oldest = kNone;
    uint32_t newest = kNone;
    // The newest that each sweep has passed: it has passed all older ones.
    std::array<uint32_t, kFlowSweeps> swept = [] {
      std::array<uint32_t, kFlowSweeps> none;
      none.fill(kNone);
      return none;
    }();
  };

  static Direction direction_of(const Record& record, bool reversed) {
    return reversed == record.reversed ? Direction::kToServer : Direction::kToClient;
  }
  Record& at(uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }
  uint32_t& bucket(uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }

  Record* lookup(const tunnels::tuple& tuple, bool reversed, uint16_t space, uint64_t hash) {
    for (uint32_t i = bucket(hash); i != kNone; i = at(i).chain_) {
      Record& record = at(i);
      if (record.hash_ == hash && record.space == space &&
          record.has_tuple(tuple, direction_of(record, reversed)))
        return &record;
    }
    return nullptr;
  }

  int64_t idle_limit_us(const Record& record) const {
    const auto& seconds = record.is_tcp() ? options_.tcp_idle_seconds : options_.other_idle_seconds;
    return int64_t{seconds[static_cast<size_t>(record.state)]} * 1'000'000;
  }
  bool idle_too_long(const Record& record, int64_t time_us) const {
    return time_us - record.last_us >= idle_limit_us(record);
  }

  Direction count(Record& record, const tunnels::packet& packet, bool reversed, int64_t time_us) {
    const Direction direction = direction_of(record, reversed);
    update_flow(record, packet, direction, time_us);
    unlink(record);
    link_newest(record);
    return direction;
  }

  Record& create(const tunnels::packet& packet, uint16_t space, uint64_t hash, int64_t time_us) {
    if (size_ == flows_max_) evict(time_us);
    Record& record = take_free();
    start_flow(record, packet, space, hash, time_us, options_.server_by_port);
    record.hash_ = hash;
    record.used_ = true;
    record.chain_ = bucket(hash);
    bucket(hash) = record.index_;
    link_newest(record);
    size_++;
    counters_.created++;
    return record;
  }

  Record& take_free() {
    if (free_ != kNone) {
      Record& record = at(free_);
      free_ = record.chain_;
      return record;
    }
    if (records_made_ % kChunk == 0) chunks_.push_back(std::make_unique<Record[]>(kChunk));
    Record& record = at(records_made_);
    record.index_ = records_made_++;
    return record;
  }

  // One that is not in use any more, whatever has been silent for longer within a longer limit.
  uint32_t idle_established(int64_t time_us) {
    for (const bool tcp : {true, false}) {
      const uint32_t oldest = lists_[list_of(tcp, FlowState::kEstablished)].oldest;
      if (oldest != kNone && idle_too_long(at(oldest), time_us)) return oldest;
    }
    return kNone;
  }

  // Established ones whose time is over, then closed before new before established; within a state
  // the longest idle: a flood of new flows pushes out its own kind, not the connections that work.
  void evict(int64_t time_us) {
    if (const uint32_t idle = idle_established(time_us); idle != kNone) {
      end(at(idle), FlowEnd::kTimeout);
      return;
    }
    for (const FlowState state : {FlowState::kClosed, FlowState::kNew, FlowState::kEstablished}) {
      const uint32_t tcp = lists_[list_of(true, state)].oldest;
      const uint32_t other = lists_[list_of(false, state)].oldest;
      if (tcp == kNone && other == kNone) continue;
      const bool take_tcp =
          other == kNone || (tcp != kNone && at(tcp).last_us <= at(other).last_us);
      end(at(take_tcp ? tcp : other), FlowEnd::kEvicted);
      return;
    }
  }

  void end(Record& record, FlowEnd reason) {
    if (reason == FlowEnd::kTimeout) counters_.timed_out++;
    if (reason == FlowEnd::kEvicted) counters_.evicted++;
    if (reason == FlowEnd::kReplaced) counters_.replaced++;
    if (on_end_) on_end_(record, reason);
    unlink(record);
    uint32_t* link = &bucket(record.hash_);
    while (*link != record.index_) link = &at(*link).chain_;
    *link = record.chain_;
    const uint32_t index = record.index_;
    record = Record{};
    record.index_ = index;
    record.chain_ = free_;
    free_ = index;
    size_--;
  }

  uint32_t next_in(const List& list, FlowSweep which) {
    const uint32_t swept = list.swept[static_cast<size_t>(which)];
    return swept == kNone ? list.oldest : at(swept).newer_;
  }

  // The list whose next flow it is; nullptr: the sweep has passed all.
  List* longest_silent(FlowSweep which) {
    List* longest = nullptr;
    int64_t since = INT64_MAX;
    for (List& list : lists_) {
      const uint32_t next = next_in(list, which);
      if (next == kNone || at(next).last_us >= since) continue;
      longest = &list;
      since = at(next).last_us;
    }
    return longest;
  }

  static uint8_t list_of(bool tcp, FlowState state) {
    return static_cast<uint8_t>((tcp ? 0 : 3) + static_cast<int>(state));
  }

  void link_newest(Record& record) {
    record.list_ = list_of(record.is_tcp(), record.state);
    List& list = lists_[record.list_];
    record.older_ = list.newest;
    record.newer_ = kNone;
    (list.newest == kNone ? list.oldest : at(list.newest).newer_) = record.index_;
    list.newest = record.index_;
  }

  void unlink(Record& record) {
    List& list = lists_[record.list_];
    for (uint32_t& swept : list.swept)
      if (swept == record.index_) swept = record.older_;
    (record.older_ == kNone ? list.oldest : at(record.older_).newer_) = record.newer_;
    (record.newer_ == kNone ? list.newest : at(record.newer_).older_) = record.older_;
  }

  const FlowTableOptions options_;
  const tunnels::flow_hash_key hash_key_;
  const uint32_t flows_max_;
  std::vector<uint32_t> buckets_;
  std::vector<std::unique_ptr<Record[]>> chunks_;
  std::array<List, kLists> lists_;
  OnEnd on_end_;
  uint32_t free_ = kNone;
  uint32_t records_made_ = 0;
  uint32_t size_ = 0;
  FlowTableCounters counters_;
};

}  // namespace sluice::inspect
