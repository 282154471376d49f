// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/namespaces.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <utility>

namespace sluice::gateway {
namespace {

constexpr char kDirectory[] = "/run/netns";
constexpr char kOwnFile[] = "/proc/thread-self/ns/net";
constexpr size_t kNameLengthMax = 200;
constexpr size_t kProcessesMax = 65536;

std::string file_of(const std::string& name) { return std::string(kDirectory) + "/" + name; }

// As `ip netns` does it: the directory is a shared mount, so that mounts made in it are seen by
// every mount namespace and an unmount frees the namespace everywhere.
Result<> prepare_directory() {
  if (mkdir(kDirectory, 0755) < 0 && errno != EEXIST)
    return fail_errno("cannot create", kDirectory);
  for (bool bound = false; mount("", kDirectory, "none", MS_SHARED | MS_REC, nullptr) < 0;
       bound = true) {
    if (errno != EINVAL || bound) return fail_errno("cannot share the mount", kDirectory);
    if (mount(kDirectory, kDirectory, "none", MS_BIND | MS_REC, nullptr) < 0)
      return fail_errno("cannot bind", kDirectory);
  }
  return {};
}

// Binds a fresh namespace to `file`, which exists. Only this thread visits it, and comes back.
Result<> bind_new_namespace(const std::string& file) {
  SLUICE_TRY(Namespace here, Namespace::current());
  if (unshare(CLONE_NEWNET) < 0) return fail_errno("cannot create a network namespace", file);
  int error = mount(kOwnFile, file.c_str(), "none", MS_BIND, nullptr) < 0 ? errno : 0;
  SLUICE_CHECK(setns(here.fd(), CLONE_NEWNET) == 0);
  if (error != 0) return fail_errno("cannot bind the network namespace", file, error);
  return {};
}

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

}  // namespace

Result<Namespace> Namespace::open_file(const std::string& path, std::string name) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return fail("no such network namespace", name);
  if (fd < 0) return fail_errno("cannot open the network namespace", name);
  struct stat status = {};
  struct statfs system = {};
  bool examined = fstat(fd, &status) == 0 && fstatfs(fd, &system) == 0;
  if (!examined || system.f_type != NSFS_MAGIC) {
    close(fd);
    return fail("this file is not a network namespace", name);
  }
  return Namespace(fd, std::move(name), status.st_ino);
}

Result<Namespace> Namespace::current() { return open_file(kOwnFile, "this namespace"); }

Result<Namespace> Namespace::open(const std::string& name) {
  if (name.empty()) return current();
  if (name.find('/') != std::string::npos) return open_file(name, name);
  if (!valid_namespace_name(name)) return fail("not a name of a network namespace", name);
  return open_file(file_of(name), name);
}

Namespace::Namespace(Namespace&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), name_(std::move(other.name_)), inode_(other.inode_) {}

Namespace& Namespace::operator=(Namespace&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(name_, other.name_);
  std::swap(inode_, other.inode_);
  return *this;
}

Namespace::~Namespace() {
  if (fd_ >= 0) close(fd_);
}

Result<NamespaceScope> NamespaceScope::enter(const Namespace& where) {
  SLUICE_TRY(Namespace before, Namespace::current());
  if (setns(where.fd(), CLONE_NEWNET) < 0)
    return fail_errno("cannot enter the network namespace", where.name());
  return NamespaceScope(std::move(before));
}

NamespaceScope::~NamespaceScope() {
  if (before_.fd() >= 0) SLUICE_CHECK(setns(before_.fd(), CLONE_NEWNET) == 0);
}

bool valid_namespace_name(const std::string& name) {
  if (name.empty() || name.size() > kNameLengthMax || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

Result<> create_namespace(const std::string& name) {
  if (!valid_namespace_name(name)) return fail("not a name for a network namespace", name);
  SLUICE_TRY_VOID(prepare_directory());
  std::string file = file_of(name);
  int fd = ::open(file.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (fd < 0 && errno == EEXIST) return fail("a network namespace of this name exists", name);
  if (fd < 0) return fail_errno("cannot create", file);
  close(fd);
  Result<> bound = bind_new_namespace(file);
  if (!bound) unlink(file.c_str());
  return bound;
}

Result<> delete_namespace(const std::string& name) {
  if (!valid_namespace_name(name)) return fail("not a name of a network namespace", name);
  std::string file = file_of(name);
  umount2(
      file.c_str(),
      MNT_DETACH);  // fails on a leftover that was never bound: then unlink is all there is to do
  if (unlink(file.c_str()) == 0) return {};
  if (errno == ENOENT) return fail("no such network namespace", name);
  return fail_errno("cannot delete the network namespace", name);
}

std::vector<std::string> list_namespaces() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory, error))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

Result<Namespace> find_namespace(const std::function<bool(const Namespace&)>& matches) {
  std::vector<std::string> candidates = list_namespaces();
  candidates.insert(candidates.begin(), "");
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    if (is_number(entry.path().filename())) candidates.push_back(entry.path().string() + "/ns/net");
    if (candidates.size() >= kProcessesMax) break;
  }
  std::set<ino_t> seen;
  for (const std::string& candidate : candidates) {
    Result<Namespace> found = Namespace::open(candidate);
    if (!found || !seen.insert(found->inode()).second) continue;  // a process may end meanwhile
    if (matches(*found)) return found;
  }
  return fail("no such network namespace among the named ones and those of processes");
}

}  // namespace sluice::gateway
