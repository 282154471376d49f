// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/kernel_host.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "gateway/datapath/kernel_path.skel.h"

namespace sluice::gateway {
namespace {

constexpr size_t kTestRunRoom = 256;  // how much longer than its input a frame may get

Result<void*> map_memory(const bpf_map* map, size_t record_size, size_t* bytes) {
  // Element sizes are multiples of 8 (tables.h), so the kernel's rounding adds nothing.
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  *bytes = (record_size * bpf_map__max_entries(map) + page - 1) / page * page;
  void* memory = mmap(nullptr, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (memory == MAP_FAILED) return fail_errno("cannot map the table", bpf_map__name(map));
  return memory;
}

std::string interface_text(uint32_t interface_index) {
  return "interface index " + std::to_string(interface_index);
}

}  // namespace

Result<std::unique_ptr<KernelHost>> KernelHost::create(const HostOptions& options) {
  SLUICE_TRY(const uint32_t buckets, flow_buckets_for(options));
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &unlimited);  // only kernels before 5.11 charge maps to it

  std::unique_ptr<KernelHost> host(new KernelHost);
  host->skeleton_ = kernel_path_bpf__open();
  if (!host->skeleton_) return fail_errno("cannot read the packet path's program");
  auto& maps = host->skeleton_->maps;
  bpf_map__set_max_entries(maps.flow_buckets, buckets);
  bpf_map__set_max_entries(maps.flow_records, buckets * kFlowWays);
  bpf_map__set_max_entries(maps.flow_usages, buckets * kFlowWays);
  if (const int error = kernel_path_bpf__load(host->skeleton_))
    return fail_errno(
        "the kernel refuses the packet path (needs root and Linux 6.1 or later; "
        "`host: process` needs neither)",
        {}, -error);

  host->tables_.flow_buckets_count = buckets;
#define X(table, record, entries)                                             \
  {                                                                           \
    size_t bytes = 0;                                                         \
    SLUICE_TRY(void* memory, map_memory(maps.table, sizeof(record), &bytes)); \
    host->tables_.table = static_cast<record*>(memory);                       \
    host->regions_.emplace_back(memory, bytes);                               \
  }
  SLUICE_TABLES(X)
#undef X
  host->tables_.settings[0].flow_bucket_mask = buckets - 1;
  return host;
}

KernelHost::~KernelHost() {
  for (const auto& [index, link] : links_) close(link);
  for (const auto& [memory, bytes] : regions_) munmap(memory, bytes);
  if (skeleton_) kernel_path_bpf__destroy(skeleton_);
}

uint64_t KernelHost::now_ms() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

Result<> KernelHost::attach(uint32_t interface_index) {
  if (interface_index == 0 || interface_index >= kPortsMax)
    return fail("ports need an interface index below " + std::to_string(kPortsMax),
                interface_text(interface_index));
  LIBBPF_OPTS(bpf_link_create_opts, create_options, .flags = XDP_FLAGS_DRV_MODE);
  if (links_.contains(interface_index)) return {};
  // By number: bpf_program__attach_xdp of libbpf 1.1 takes no flags, and without them the kernel
  // may choose the slow generic mode.
  const int descriptor =
      bpf_link_create(program_descriptor(Program::kPath), static_cast<int>(interface_index),
                      BPF_XDP, &create_options);
  if (descriptor < 0)
    return fail_errno(
        "cannot attach native XDP (driver without it, MTU above 3,500, or another program)",
        interface_text(interface_index), -descriptor);
  links_[interface_index] = descriptor;
  return {};
}

Result<> KernelHost::detach(uint32_t interface_index) {
  const auto found = links_.find(interface_index);
  if (found == links_.end()) return {};
  close(found->second);
  links_.erase(found);
  return {};
}

int KernelHost::program_descriptor(Program program) const {
  return bpf_program__fd(program == Program::kPath ? skeleton_->progs.sluice_xdp
                                                   : skeleton_->progs.sluice_empty);
}

Result<KernelHost::TestRun> KernelHost::test_run(std::span<const uint8_t> bytes, Program program,
                                                 uint32_t repeat) {
  TestRun run;
  run.bytes.resize(bytes.size() + kTestRunRoom);
  LIBBPF_OPTS(bpf_test_run_opts, test, .data_in = bytes.data(), .data_out = run.bytes.data(),
              .data_size_in = static_cast<uint32_t>(bytes.size()),
              .data_size_out = static_cast<uint32_t>(run.bytes.size()),
              .repeat = static_cast<int>(repeat));
  if (const int error = bpf_prog_test_run_opts(program_descriptor(program), &test))
    return fail_errno("test run", {}, -error);
  run.bytes.resize(test.data_size_out);
  run.action = static_cast<int>(test.retval);
  run.duration = std::chrono::nanoseconds(test.duration);
  return run;
}

}  // namespace sluice::gateway
