// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/guardian.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "testbed/lab/lab.h"

namespace sluice::testbed {
namespace {

[[noreturn]] void watch(const std::string& lab, int pipe) {
  setsid();  // a key or a hangup of the terminal is for the builder
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  prctl(PR_SET_NAME, "sluice-guardian");
  char word = 0;
  ssize_t got = read(pipe, &word, 1);
  while (got < 0 && errno == EINTR) got = read(pipe, &word, 1);
  if (got != 1) (void)take_down(lab);
  _exit(0);
}

}  // namespace

Result<Guardian> Guardian::start(const std::string& lab) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail_errno("cannot make a pipe");
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[1]);
    watch(lab, ends[0]);
  }
  close(ends[0]);
  if (pid < 0) {
    Failure failure = fail_errno("cannot start the guardian");
    close(ends[1]);
    return failure;
  }
  return Guardian(pid, ends[1]);
}

Guardian::Guardian(Guardian&& other) noexcept
    : pid_(other.pid_), pipe_(std::exchange(other.pipe_, -1)) {}

Guardian::~Guardian() {
  if (pipe_ < 0) return;
  close(pipe_);
  waitpid(pid_, nullptr, 0);
}

void Guardian::dismiss() {
  if (write(pipe_, "k", 1) != 1) return;  // then it has died already
  close(std::exchange(pipe_, -1));
  waitpid(pid_, nullptr, 0);
}

}  // namespace sluice::testbed
