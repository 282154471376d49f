// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/kernel_host.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gateway/datapath/kernel_path.skel.h"
#include "gateway/datapath/kernel_path_tc.skel.h"
#include "gateway/datapath/kernel_rings.h"

namespace sluice::gateway {
namespace {

constexpr size_t kTestRunRoom = 256;  // how much longer than its input a frame may get

constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);  // BPF_TCX_INGRESS, of Linux 6.6

std::string interface_text(uint32_t interface_index) {
  char name[IF_NAMESIZE] = {};
  if (if_indextoname(interface_index, name) != nullptr) return std::string("interface ") + name;
  return "interface index " + std::to_string(interface_index);
}

// Of the ring of one CPU.
constexpr size_t kHandedOverPages = 64;
constexpr size_t kSightingPages = 512;
constexpr size_t kMirroredPages = 512;

constexpr size_t kTagPlace = 12;  // behind the MAC addresses

// A frame whose outer tag has come beside it.
std::vector<uint8_t> with_tag(std::span<const uint8_t> bytes, uint32_t tag) {
  std::vector<uint8_t> out(bytes.begin(), bytes.end());
  const auto* its_bytes = reinterpret_cast<const uint8_t*>(&tag);
  out.insert(out.begin() + kTagPlace, its_bytes, its_bytes + sizeof(tag));
  return out;
}

// Takes the struct in front of a frame.
template <class Head>
bool take_head(std::span<const uint8_t>& bytes, Head& head) {
  if (bytes.size() < sizeof(head)) return false;
  std::memcpy(&head, bytes.data(), sizeof(head));
  bytes = bytes.subspan(sizeof(head));
  return true;
}

Result<int> create_link(uint32_t interface_index, Entry entry, int program) {
  const int index = static_cast<int>(interface_index);
  if (entry == Entry::kTc) {
    const int link = bpf_link_create(program, index, kTcxIngress, nullptr);
    if (link < 0)
      return fail_errno("cannot attach the TC entry (it needs Linux 6.6; `entry: xdp` does not)",
                        interface_text(interface_index), -link);
    return link;
  }
  // By number: bpf_program__attach_xdp of libbpf 1.1 takes no flags, and without them the kernel
  // may choose the slow generic mode.
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
  const int link = bpf_link_create(program, index, BPF_XDP, &options);
  if (link < 0)
    return fail_errno(
        "cannot attach native XDP (driver without it, MTU above about 3,500, or another program); "
        "`entry: tc` can do without",
        interface_text(interface_index), -link);
  return link;
}

std::string cpus_present() {
  std::string line;
  std::getline(std::ifstream("/sys/devices/system/cpu/present"), line);
  return line;
}

Result<> set_entries(bpf_object* object, const char* map_name, uint32_t entries) {
  bpf_map* map = bpf_object__find_map_by_name(object, map_name);
  if (!map) return fail("the program has no such table", map_name);
  if (const int error = bpf_map__set_max_entries(map, entries))
    return fail_errno("cannot size the table", map_name, -error);
  return {};
}

}  // namespace

Result<std::unique_ptr<KernelHost>> KernelHost::create(const HostOptions& options) {
  size_t size = 0;
  const void* bytes = kernel_path__elf_bytes(&size);
  return create(options, {static_cast<const uint8_t*>(bytes), size});
}

Result<std::unique_ptr<KernelHost>> KernelHost::create(const HostOptions& options,
                                                       std::span<const uint8_t> object_file) {
  SLUICE_TRY(const uint32_t buckets, flow_buckets_for(options));
  SLUICE_TRY_VOID(cpus_fit(cpus_present()));
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &unlimited);  // only kernels before 5.11 charge maps to it

  std::unique_ptr<KernelHost> host(new KernelHost);
  host->object_ = bpf_object__open_mem(object_file.data(), object_file.size(), nullptr);
  if (!host->object_) return fail_errno("cannot read the packet path's program");
  SLUICE_TRY_VOID(set_entries(host->object_, "flow_buckets", buckets));
  if (!options.pins.empty()) SLUICE_TRY_VOID(host->pin_tables(options.pins, buckets));
  if (const int error = bpf_object__load(host->object_))
    return fail_errno("the kernel refuses the packet path (it needs root and Linux 6.1 or later)",
                      {}, -error);

  host->tables_.flow_buckets_count = buckets;
#define X(table, record, entries)                                      \
  {                                                                    \
    SLUICE_TRY(void* memory, host->map_table(#table, sizeof(record))); \
    host->tables_.table = static_cast<record*>(memory);                \
  }
  SLUICE_TABLES(X)
#undef X
  host->tables_.settings[0].flow_bucket_mask = buckets - 1;
  write_profiles(host->tables_);
  if (host->taken_over_) host->former_tables_.emplace(host->tables_);
  return host;
}

KernelHost::~KernelHost() {
  if (!settled_) give_up();
  for (const auto& [at, link] : links_) {
    if (pins_.empty()) (void)bpf_link_detach(link);
    close(link);
  }
  for (const auto& [memory, bytes] : regions_) munmap(memory, bytes);
  bpf_object__close(tc_object_);
  bpf_object__close(object_);
}

Result<void*> KernelHost::map_table(const char* map_name, size_t entry_size) {
  const bpf_map* map = bpf_object__find_map_by_name(object_, map_name);
  if (!map) return fail("the program has no such table", map_name);
  // The kernel rounds entries up to 8 bytes; those of tables.h are multiples already.
  if (entry_size != 0 && bpf_map__value_size(map) != entry_size)
    return fail("the program's table has another layout", map_name);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t entry = (bpf_map__value_size(map) + 7ul) / 8 * 8;
  const size_t bytes = (entry * bpf_map__max_entries(map) + page - 1) / page * page;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (memory == MAP_FAILED) return fail_errno("cannot map the table", map_name);
  regions_.emplace_back(memory, bytes);
  return memory;
}

Result<void*> KernelHost::map_memory(const char* map_name) { return map_table(map_name, 0); }

uint64_t KernelHost::now_ms() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

Result<> KernelHost::load_tc() {
  size_t size = 0;
  const void* bytes = kernel_path_tc__elf_bytes(&size);
  bpf_object* object = bpf_object__open_mem(bytes, size, nullptr);
  if (!object) return fail_errno("cannot read the TC entry's program");
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const bpf_map* shared = bpf_object__find_map_by_name(object_, bpf_map__name(map));
    if (shared && !bpf_map__is_internal(map)) bpf_map__reuse_fd(map, bpf_map__fd(shared));
  }
  if (const int error = bpf_object__load(object)) {
    bpf_object__close(object);
    return fail_errno("the kernel refuses the TC entry", {}, -error);
  }
  tc_object_ = object;
  return {};
}

Result<int> KernelHost::program_of(Entry entry) {
  if (entry == Entry::kTc && !tc_object_) SLUICE_TRY_VOID(load_tc());
  const bpf_program* program = entry == Entry::kTc
                                   ? bpf_object__find_program_by_name(tc_object_, "sluice_tc")
                                   : bpf_object__find_program_by_name(object_, "sluice_xdp");
  if (!program) return fail("the program has no entry");
  return bpf_program__fd(program);
}

Result<> KernelHost::attach(uint32_t interface_index, Entry entry) {
  if (interface_index == 0 || interface_index >= kPortsMax)
    return fail("a port needs an interface index below " + std::to_string(kPortsMax),
                interface_text(interface_index));
  const Place at{interface_index, entry};
  if (links_.contains(at)) return {};
  SLUICE_TRY(const int program, program_of(entry));
  SLUICE_TRY(int link, take_over_link(at, program));
  if (link < 0) {
    SLUICE_TRY(link, make_link(at, program));
  }
  links_[at] = link;
  leaving_.erase(at);
  detach(interface_index, entry == Entry::kTc ? Entry::kXdp : Entry::kTc);
  return {};
}

Result<int> KernelHost::make_link(const Place& at, int program) {
  SLUICE_TRY(const int link, create_link(at.first, at.second, program));
  if (pins_.empty()) return link;
  const std::string path = link_path(at);
  if (bpf_obj_pin(link, path.c_str()) == 0) return link;
  const auto failed = fail_errno("cannot pin the attached program", path);
  close(link);
  return failed;
}

Result<> KernelHost::detach(uint32_t interface_index) {
  for (const Entry entry : {Entry::kXdp, Entry::kTc}) detach(interface_index, entry);
  return {};
}

void KernelHost::detach(uint32_t interface_index, Entry entry) {
  const Place at{interface_index, entry};
  const auto found = links_.find(at);
  const bool mine = found != links_.end() && former_.erase(at) == 0;
  // What an earlier process has left goes when this one has settled.
  if (!pins_.empty() && !settled_ && !mine)
    leaving_.insert(at);
  else if (!pins_.empty())
    end_pinned(at);
  if (found == links_.end()) return;
  close(found->second);
  links_.erase(found);
}

Result<std::unique_ptr<Rings>> KernelHost::rings(const char* map_name, size_t pages,
                                                 KernelRings::Taker taker) {
  const bpf_map* map = bpf_object__find_map_by_name(object_, map_name);
  if (!map) return fail("the program has no such rings", map_name);
  return KernelRings::open(bpf_map__fd(map), pages, std::move(taker));
}

Result<std::unique_ptr<Rings>> KernelHost::handed_over(TakeHandedOver taker) {
  return rings("handed_over", kHandedOverPages, [taker = std::move(taker)](auto padded) {
    handed_over_head head{};
    if (!take_head(padded, head) || head.length > padded.size()) return;
    const auto bytes = padded.first(head.length);
    if (head.tag == 0 || bytes.size() < kTagPlace) return taker(head.interface, head.mtu, bytes);
    taker(head.interface, head.mtu, with_tag(bytes, head.tag));
  });
}

Result<std::unique_ptr<Rings>> KernelHost::mirrored(TakeMirrored taker) {
  return rings("mirrored", kMirroredPages, [taker = std::move(taker)](auto padded) {
    mirror_head head{};
    if (!take_head(padded, head) || head.length > padded.size()) return;
    const auto bytes = padded.first(head.length);
    if (head.tag == 0 || bytes.size() < kTagPlace) return taker(head, bytes);
    head.length += sizeof(head.tag);
    head.l3_offset += sizeof(head.tag);
    taker(head, with_tag(bytes, head.tag));
  });
}

Result<std::unique_ptr<Rings>> KernelHost::sightings(TakeSighting taker) {
  return rings("sightings", kSightingPages, [taker = std::move(taker)](auto padded) {
    sighting seen{};
    if (!take_head(padded, seen) || seen.captured > padded.size()) return;
    const auto bytes = padded.first(seen.captured);
    if (seen.tag == 0 || bytes.size() < kTagPlace) return taker(seen, bytes);
    seen.length += sizeof(seen.tag);
    seen.captured += sizeof(seen.tag);
    taker(seen, with_tag(bytes, seen.tag));
  });
}

Result<KernelHost::TestRun> KernelHost::test_run(std::span<const uint8_t> bytes,
                                                 const char* program_name, uint32_t repeat) {
  const bpf_program* program = bpf_object__find_program_by_name(object_, program_name);
  if (!program) {
    SLUICE_TRY_VOID(program_of(Entry::kTc));
    program = bpf_object__find_program_by_name(tc_object_, program_name);
  }
  if (!program) return fail("there is no such program", program_name);
  TestRun run;
  run.bytes.resize(bytes.size() + kTestRunRoom);
  LIBBPF_OPTS(bpf_test_run_opts, test, .data_in = bytes.data(), .data_out = run.bytes.data(),
              .data_size_in = static_cast<uint32_t>(bytes.size()),
              .data_size_out = static_cast<uint32_t>(run.bytes.size()),
              .repeat = static_cast<int>(repeat));
  if (const int error = bpf_prog_test_run_opts(bpf_program__fd(program), &test))
    return fail_errno("test run", program_name, -error);
  run.bytes.resize(test.data_size_out);
  run.action = static_cast<int>(test.retval);
  run.duration = std::chrono::nanoseconds(test.duration);
  return run;
}

}  // namespace sluice::gateway
