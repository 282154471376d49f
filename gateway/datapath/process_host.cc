// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/process_host.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "gateway/datapath/path.h"

namespace sluice::gateway {

void FrameBuffer::assign(std::span<const uint8_t> bytes) {
  const size_t length = std::min(bytes.size(), kLengthMax);
  memory_.resize(kHeadRoom + length);
  if (length != 0) std::memcpy(memory_.data() + kHeadRoom, bytes.data(), length);
  frame_.head = memory_.data();
  frame_.data = memory_.data() + kHeadRoom;
  frame_.end = memory_.data() + memory_.size();
  frame_.limit = frame_.end;
}

Result<std::unique_ptr<ProcessHost>> ProcessHost::create(const HostOptions& options) {
  SLUICE_TRY(const uint32_t buckets, flow_buckets_for(options));
  std::unique_ptr<ProcessHost> host(new ProcessHost);
  Tables* tables = &host->tables_;
  tables->flow_buckets_count = buckets;
  // Zero pages from the system: only what is used costs memory.
#define X(table, record, entries)                                                         \
  {                                                                                       \
    const size_t bytes = sizeof(record) * static_cast<size_t>(entries);                   \
    void* memory =                                                                        \
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); \
    if (memory == MAP_FAILED) return fail_errno("no memory for the table " #table);       \
    tables->table = static_cast<record*>(memory);                                         \
    host->regions_.emplace_back(memory, bytes);                                           \
  }
  SLUICE_TABLES(X)
#undef X
  tables->settings[0].flow_bucket_mask = buckets - 1;
  write_profiles(*tables);
  return host;
}

ProcessHost::~ProcessHost() {
  for (const auto& [memory, bytes] : regions_) munmap(memory, bytes);
}

Outcome run_path(const Tables& tables, FrameBuffer& buffer, uint32_t interface_index,
                 uint64_t now_ms, SlowFrame slow) {
  buffer.raw()->slow = slow;
  departure leaves{};
  const Verdict verdict = path_enter(&tables, buffer.raw(), interface_index,
                                     slow != kSlowNot ? uint32_t{kSlowPathCpu} : 0,
                                     static_cast<uint32_t>(now_ms), &leaves);
  const auto reason = static_cast<DropReason>(leaves.reason);
  if (verdict == kVerdictSlowPath) return {verdict, reason, 0, leaves.interface};
  return {verdict, reason, leaves.interface, 0};
}

Outcome ProcessHost::run(FrameBuffer& buffer, uint32_t interface_index) {
  return run_path(tables_, buffer, interface_index, now_ms_);
}

}  // namespace sluice::gateway
