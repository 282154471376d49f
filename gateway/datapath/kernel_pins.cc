// SPDX-License-Identifier: Apache-2.0
// What of the kernel host outlives its process:
//
//   PINS/tables-LAYOUT-BUCKETS/settings, ports, ...   the maps
//   PINS/link-IFINDEX                                 the XDP program at an interface
//   PINS/tc-link-IFINDEX                              the TC program at one
//
// A process that knows another layout, or wants another flow table, makes tables of its own. Only
// when all that may fail has been done does it put its programs in the place of the former ones
// (settle), interface by interface; no packet finds an interface without program. Then the former
// tables go. If it gives up before, its own tables and links go, and what it has written into
// tables that it took over is taken back.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gateway/datapath/kernel_host.h"

namespace sluice::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTablesPrefix = "tables-";
constexpr std::string_view kLinkPrefix = "link-";
constexpr std::string_view kTcLinkPrefix = "tc-link-";
constexpr uint32_t kTcxLink = 11;  // BPF_LINK_TYPE_TCX, of Linux 6.6

bool starts_with(const fs::path& path, std::string_view prefix) {
  return path.filename().native().starts_with(prefix);
}

bool is_link(const fs::path& path) {
  return starts_with(path, kLinkPrefix) || starts_with(path, kTcLinkPrefix);
}

constexpr const char* kBpfFilesystem = "/sys/fs/bpf";  // where everybody has it

bool is_bpf(const char* path) {
  struct statfs where {};
  return ::statfs(path, &where) == 0 && static_cast<uint32_t>(where.f_type) == BPF_FS_MAGIC;
}

// Makes the folder, and mounts the filesystem if nobody has yet.
Result<> make_folder(const std::string& pins) {
  if (pins.starts_with(kBpfFilesystem) && !is_bpf(kBpfFilesystem))
    (void)::mount("bpf", kBpfFilesystem, "bpf", 0, "mode=0700");
  std::error_code error;
  fs::create_directories(pins, error);
  if (error) return fail("cannot make the folder: " + error.message(), pins);
  if (!is_bpf(pins.c_str()))
    return fail("the folder is in no BPF filesystem; `mount -t bpf bpf /sys/fs/bpf` makes one",
                pins);
  return {};
}

// Tables of another layout or size.
std::vector<fs::path> other_tables(const std::string& pins, const std::string& own) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(pins, error))
    if (starts_with(entry.path(), kTablesPrefix) && entry.path() != own)
      out.push_back(entry.path());
  return out;
}

// Nobody uses them any more.
void remove_tables(const std::string& pins, const std::string& except) {
  std::error_code error;
  for (const fs::path& tables : other_tables(pins, except)) fs::remove_all(tables, error);
}

// The program is off when this returns. The kernel ends a link whose pin goes too, but a while
// later, when something else may want its place already.
void end_link(const fs::path& path) {
  const int link = bpf_obj_get(path.c_str());
  if (link >= 0) (void)bpf_link_detach(link);  // fails where the interface has gone
  if (link >= 0) close(link);
  ::unlink(path.c_str());
}

// All that is pinned there, each link by `remove_link`.
Result<> remove_folder(const std::string& pins,
                       const std::function<void(const fs::path&)>& remove_link) {
  std::error_code error;
  if (!is_bpf(pins.c_str())) return {};
  for (const auto& entry : fs::directory_iterator(pins, error))
    if (is_link(entry.path())) remove_link(entry.path());
  remove_tables(pins, "");
  fs::remove(pins, error);
  if (error) return fail("cannot remove the folder: " + error.message(), pins);
  return {};
}

}  // namespace

Result<> KernelHost::pin_tables(const std::string& pins, uint32_t buckets) {
  SLUICE_TRY_VOID(make_folder(pins));
  pins_ = pins;
  std::error_code error;
  folder_ = pins + "/" + std::string(kTablesPrefix) + std::to_string(int{kTablesLayout}) + "-" +
            std::to_string(buckets);
  // libbpf opens each map that is there, if it is of the same kind and size, and pins the others.
  taken_over_ = fs::exists(folder_ + "/settings", error);
  forgets_flows_ = !other_tables(pins, folder_).empty();
  fs::create_directories(folder_, error);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_) {
    // The rings of the slow path belong to the process that reads them.
    if (bpf_map__is_internal(map) || bpf_map__type(map) == BPF_MAP_TYPE_PERF_EVENT_ARRAY) continue;
    const std::string path = folder_ + "/" + bpf_map__name(map);
    if (const int failed = bpf_map__set_pin_path(map, path.c_str()))
      return fail_errno("cannot pin the table", path, -failed);
  }
  return {};
}

Result<> KernelHost::settle(bool keep) {
  if (std::exchange(settled_, true) || pins_.empty()) return {};
  former_tables_.reset();
  Result<> first;
  for (const Place& at : former_) {
    SLUICE_TRY(const int program, program_of(at.second));
    const int error = bpf_link_update(links_[at], program, nullptr);
    // The interface may have gone meanwhile, and its link with it.
    if (error != 0 && error != -ENOLINK && first)
      first = fail_errno("cannot replace the program of an earlier sluiced", link_path(at), -error);
  }
  for (const Place& at : leaving_) end_pinned(at);
  former_.clear();
  leaving_.clear();
  if (!first) return first;
  if (keep)
    remove_tables(pins_, folder_);
  else
    first = remove_folder(std::exchange(pins_, {}),
                          [](const fs::path& link) { ::unlink(link.c_str()); });
  return first;
}

void KernelHost::give_up() {
  if (former_tables_) former_tables_->put_back();
  if (pins_.empty()) return;
  for (const auto& [at, link] : links_)
    if (!former_.contains(at)) end_pinned(at);
  std::error_code error;
  if (!taken_over_) fs::remove_all(folder_, error);
  fs::remove(pins_, error);  // if nothing else is there
}

std::string KernelHost::link_path(const Place& at) const {
  const std::string_view prefix = at.second == Entry::kTc ? kTcLinkPrefix : kLinkPrefix;
  return pins_ + "/" + std::string(prefix) + std::to_string(at.first);
}

void KernelHost::end_pinned(const Place& at) { end_link(link_path(at)); }

// The descriptor of a link that an earlier process has left; -1 if there is none.
int KernelHost::former_link(const Place& at) {
  if (pins_.empty()) return -1;
  const std::string path = link_path(at);
  const int link = bpf_obj_get(path.c_str());
  if (link < 0) return -1;
  bpf_link_info info{};
  uint32_t size = sizeof(info);
  const uint32_t type = at.second == Entry::kTc ? kTcxLink : uint32_t{BPF_LINK_TYPE_XDP};
  // An interface that was taken away leaves a link to nothing; its number may be another's now. It
  // stands at the same place for both kinds.
  if (bpf_obj_get_info_by_fd(link, &info, &size) == 0 && info.type == type &&
      info.xdp.ifindex == at.first)
    return link;
  close(link);
  ::unlink(path.c_str());
  return -1;
}

// The same, with this process's program: now, or when it settles.
Result<int> KernelHost::take_over_link(const Place& at, int program) {
  const int link = former_link(at);
  if (link < 0) return -1;
  if (!settled_) {
    former_.insert(at);
  } else if (bpf_link_update(link, program, nullptr) != 0) {
    const auto failed =
        fail_errno("cannot replace the program of an earlier sluiced", link_path(at));
    close(link);
    return failed;
  }
  return link;
}

std::vector<uint32_t> KernelHost::left_attached() const {
  std::set<uint32_t> out;
  if (pins_.empty()) return {};
  std::error_code error;
  for (const auto& file : fs::directory_iterator(pins_, error)) {
    if (!is_link(file.path())) continue;
    const std::string name = file.path().filename().native();
    uint32_t index = 0;
    const auto [end, failed] =
        std::from_chars(name.data() + name.rfind('-') + 1, name.data() + name.size(), index);
    if (failed == std::errc() && !links_.contains({index, Entry::kXdp}) &&
        !links_.contains({index, Entry::kTc}))
      out.insert(index);
  }
  return {out.begin(), out.end()};
}

Result<> KernelHost::remove_pins(const std::string& pins) { return remove_folder(pins, end_link); }

}  // namespace sluice::gateway
