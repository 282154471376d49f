// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace sluice::gateway {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;  // its leak check at exit is a thread that traces this process
#else
constexpr bool kSanitized = false;
#endif

constexpr size_t kOtherFiles = 2048;  // listeners, health checks, kept connections, log

Result<> keep_only_low_ports() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  sets[0].effective = sets[0].permitted = 1u << CAP_NET_BIND_SERVICE;
  if (::syscall(SYS_capset, &header, sets) == 0) return {};
  return fail_errno("cannot give up capabilities");
}

Result<> become(const std::string& user) {
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) return fail("there is no such user", user);
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return fail_errno("cannot keep a capability");
  if (setgroups(0, nullptr) != 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
      setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
    return fail_errno("cannot become this user", user);
  }
  return keep_only_low_ports();
}

}  // namespace

size_t raise_file_limit(size_t clients_wanted) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return std::min<size_t>(clients_wanted, 256);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 2 * clients_wanted + kOtherFiles);
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  size_t carries = files.rlim_cur > kOtherFiles ? (files.rlim_cur - kOtherFiles) / 2 : 64;
  return std::min(clients_wanted, carries);
}

Result<> drop_privileges(const std::string& user) {
  if (geteuid() == 0 && user != "root") SLUICE_TRY_VOID(become(user));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("cannot set no_new_privs");
  if (kSanitized) return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 ? Result<>() : fail_errno("prctl");
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_NPROC, &none) != 0) return fail_errno("cannot limit processes");
  if (setrlimit(RLIMIT_CORE, &none) != 0) return fail_errno("cannot limit core files");
  return {};
}

}  // namespace sluice::gateway
