// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace sluice::gateway {
namespace {

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return fail("the path is too long", path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

bool somebody_listens(const sockaddr_un& address) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  return fd && (::connect(fd.get(), raw, sizeof(address)) == 0 || errno == EAGAIN);
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path, int backlog) {
  SLUICE_TRY(const sockaddr_un address, unix_address(path));
  if (somebody_listens(address)) return fail("another daemon listens on this socket", path);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  struct stat existing {};
  if (::lstat(path.c_str(), &existing) == 0 && !S_ISSOCK(existing.st_mode))
    return fail("there is a file that is no socket", path);
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(before);
  if (bound != 0) return fail_errno("cannot make the socket", path, error);
  if (::listen(fd.get(), backlog) != 0) {
    const int reason = errno;
    ::unlink(path.c_str());
    return fail_errno("cannot listen", path, reason);
  }
  return fd;
}

}  // namespace sluice::gateway
