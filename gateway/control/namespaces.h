// SPDX-License-Identifier: Apache-2.0
// Network namespaces: the named ones of `ip netns` (bind mounts under /run/netns), and a way to
// work in one.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::gateway {

// An open network namespace; keeps it alive. Safe to use from any thread.
class Namespace {
 public:
  // The calling thread's own.
  static Result<Namespace> current();
  // A named one, or the file of one (anything with a '/', such as /proc/812/ns/net). Empty:
  // current().
  static Result<Namespace> open(const std::string& name);

  Namespace(Namespace&& other) noexcept;
  Namespace& operator=(Namespace&& other) noexcept;
  ~Namespace();

  int fd() const { return fd_; }
  // For messages: the name or file it was opened by; "this namespace" for current().
  const std::string& name() const { return name_; }
  // What tells two namespaces apart while both exist.
  ino_t inode() const { return inode_; }

 private:
  Namespace(int fd, std::string name, ino_t inode)
      : fd_(fd), name_(std::move(name)), inode_(inode) {}
  static Result<Namespace> open_file(const std::string& path, std::string name);

  int fd_;
  std::string name_;
  ino_t inode_;
};

// The calling thread is inside a namespace as long as this lives. Leaving cannot fail short of a
// broken kernel, and then the process ends rather than go on in the wrong namespace.
class NamespaceScope {
 public:
  static Result<NamespaceScope> enter(const Namespace& where);
  NamespaceScope(NamespaceScope&& other) noexcept = default;
  ~NamespaceScope();

 private:
  explicit NamespaceScope(Namespace before) : before_(std::move(before)) {}
  Namespace before_;  // fd -1 after a move
};

// Letters, digits, '.', '_' and '-', at most 200 characters.
bool valid_namespace_name(const std::string& name);

Result<> create_namespace(const std::string& name);
// The namespace itself lives on while a process or an open file holds it.
Result<> delete_namespace(const std::string& name);
std::vector<std::string> list_namespaces();

// The first namespace, among this thread's, the named ones and those of processes, that `matches`.
Result<Namespace> find_namespace(const std::function<bool(const Namespace&)>& matches);

}  // namespace sluice::gateway
