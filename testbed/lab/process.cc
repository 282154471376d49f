// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "testbed/lab/topology.h"

namespace sluice::testbed {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kPatience = 2s;
constexpr auto kPause = 10ms;
constexpr int kCannotRun = 127;
constexpr long kLogTailBytes = 4096;

// The fields of /proc/PID/stat after the name, which may hold anything, parentheses included.
std::vector<std::string> stat_fields(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  size_t after_name = line.rfind(')');
  if (after_name == std::string::npos) return {};
  std::istringstream rest(line.substr(after_name + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

constexpr size_t kStateField = 0, kStartTimeField = 19;  // fields 3 and 22 of proc(5)

[[noreturn]] void die(const char* what) {
  const char* reason = strerror(errno);
  for (const char* part : {"sluice lab: ", what, ": ", reason, "\n"})
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  _exit(kCannotRun);
}

// In the child: waits for the parent's word, then becomes the program. A parent that died says
// nothing.
[[noreturn]] void become(const StartOptions& options, const std::string& file, int word,
                         pid_t parent) {
  char go = 0;
  if (read(word, &go, 1) != 1) _exit(kCannotRun);
  setsid();
  if (options.die_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kCannotRun);
  }
  if (!options.log.empty()) {
    int log = open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || nothing < 0) die("cannot open the log");
    if (dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) die("cannot redirect");
  }
  if (options.where != nullptr && setns(options.where->fd(), CLONE_NEWNET) < 0)
    die("cannot enter the namespace");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<char*> words;
  for (const std::string& text : options.command) words.push_back(const_cast<char*>(text.c_str()));
  words.push_back(nullptr);
  execv(file.c_str(), words.data());
  die(file.c_str());
}

bool all_gone(const std::vector<ProcessId>& processes) {
  return std::none_of(processes.begin(), processes.end(),
                      [](const ProcessId& id) { return is_alive(id); });
}

void signal_groups(const std::vector<ProcessId>& processes, int signal) {
  for (const ProcessId& id : processes)
    if (is_alive(id)) kill(-id.pid, signal);
}

void wait_until_gone(const std::vector<ProcessId>& processes) {
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!all_gone(processes) && std::chrono::steady_clock::now() < deadline) {
    for (const ProcessId& id : processes)
      (void)exit_status(id.pid);  // ours must be waited for to be gone
    std::this_thread::sleep_for(kPause);
  }
}

std::vector<ProcessId> processes_inside(const std::vector<std::string>& namespaces) {
  std::set<ino_t> inodes;
  for (const std::string& name : namespaces)
    if (auto opened = gateway::Namespace::open(name)) inodes.insert(opened->inode());
  if (auto own = gateway::Namespace::current())
    inodes.erase(own->inode());  // never our own, whatever a file says
  std::vector<ProcessId> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    pid_t pid = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
    struct stat status = {};
    if (pid <= 0 || pid == getpid()) continue;
    if (stat((entry.path() / "ns/net").c_str(), &status) < 0 || !inodes.contains(status.st_ino))
      continue;
    if (auto id = find_process(pid)) found.push_back(*id);
  }
  return found;
}

}  // namespace

std::optional<ProcessId> find_process(pid_t pid) {
  std::vector<std::string> fields = stat_fields(pid);
  if (fields.size() <= kStartTimeField || fields[kStateField] == "Z" || fields[kStateField] == "X")
    return std::nullopt;
  return ProcessId{pid, std::strtoull(fields[kStartTimeField].c_str(), nullptr, 10)};
}

bool is_alive(const ProcessId& id) {
  auto now = find_process(id.pid);
  return id.pid > 1 && now && now->start_time == id.start_time;
}

Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::istringstream directories(program_directory() + ":" +
                                 (path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path));
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::string file = (fs::path(directory) / name).string();
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return fail("no such program, neither beside this one nor in PATH", name);
}

Result<ProcessId> start_process(const StartOptions& options) {
  SLUICE_TRY(std::string file, find_program(options.command.at(0)));
  int word[2];
  if (pipe2(word, O_CLOEXEC) < 0) return fail_errno("cannot make a pipe");
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    close(word[1]);
    become(options, file, word[0], parent);
  }
  close(word[0]);
  if (child < 0) {
    Failure failure = fail_errno("cannot start", file);
    close(word[1]);
    return failure;
  }
  Result<ProcessId> result = find_process(child).value_or(ProcessId{child, 0});
  if (options.before_run)
    if (Result<> allowed = options.before_run(*result); !allowed)
      result = tl::make_unexpected(allowed.error());
  if (result && write(word[1], "g", 1) != 1) result = fail_errno("cannot start", file);
  close(word[1]);
  if (!result) waitpid(child, nullptr, 0);
  return result;
}

std::optional<int> exit_status(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, WNOHANG) != child) return std::nullopt;
  return status;
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) return std::string("was ended by signal ") + strsignal(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

void stop_processes(const std::vector<ProcessId>& processes,
                    const std::vector<std::string>& namespaces) {
  signal_groups(processes, SIGTERM);
  wait_until_gone(processes);
  signal_groups(processes, SIGKILL);
  wait_until_gone(processes);
  std::vector<ProcessId> left = processes_inside(namespaces);
  for (const ProcessId& id : left)
    if (is_alive(id)) kill(id.pid, SIGKILL);
  wait_until_gone(left);
}

std::string last_lines(const std::string& file, size_t lines) {
  std::ifstream log(file, std::ios::ate);
  if (!log) return {};
  long size = static_cast<long>(log.tellg());
  log.seekg(std::max(0L, size - kLogTailBytes));
  std::vector<std::string> all;
  for (std::string line; std::getline(log, line);) all.push_back(line);
  std::string text;
  for (size_t i = all.size() - std::min(lines, all.size()); i < all.size(); ++i)
    text += "\n  " + all[i];
  return text;
}

}  // namespace sluice::testbed
