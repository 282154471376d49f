// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/appliance_bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>

#include "appliances/sdk/socket.h"
#include "testbed/bench/web_traffic.h"
#include "tunnels/geneve.h"

namespace sluice::testbed {

namespace {

using sdk::Socket;
using Clock = std::chrono::steady_clock;

constexpr const char* kGateway = "127.0.0.2";
constexpr size_t kBurst = 4096;  // fits the socket of the appliance
constexpr int kSocketBytes = 256 << 20;
constexpr int kPatienceMs = 20'000;

sockaddr_in at(const char* address, uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  inet_pton(AF_INET, address, &name.sin_addr);
  return name;
}

// Of this process and its children, with loopback up.
Result<> enter_own_network() {
  if (unshare(CLONE_NEWNET) != 0) return fail_errno("cannot make a network namespace; be root");
  const Socket socket(::socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request{};
  std::copy_n("lo", 3, request.ifr_name);
  request.ifr_flags = IFF_UP;
  if (ioctl(socket.fd(), SIOCSIFFLAGS, &request) != 0) return fail_errno("cannot bring lo up");
  return {};
}

class Program {
 public:
  static Result<std::unique_ptr<Program>> start(const std::string& name, const char* address,
                                                std::vector<std::string> arguments) {
    const auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
    if (!std::filesystem::exists(path)) return fail("is not there", path);
    std::vector<std::string> words = {path, "--listen", address};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid < 0) return fail_errno("cannot fork");
    if (pid == 0) {
      const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
      dup2(nowhere, 2);
      execv(argv[0], argv.data());
      _exit(127);
    }
    return std::unique_ptr<Program>(new Program(name, address, pid));
  }
  ~Program() {
    kill(pid_, SIGCONT);
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }

  const std::string& name() const { return name_; }
  const char* address() const { return address_; }

  void stop() const {
    kill(pid_, SIGSTOP);
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
  }
  void go_on() const { kill(pid_, SIGCONT); }

  // Of all its threads.
  uint64_t cpu_ns() const {
    uint64_t sum = 0;
    std::error_code ignored;
    const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
      uint64_t ns = 0;
      std::ifstream(task.path() / "schedstat") >> ns;
      sum += ns;
    }
    return sum;
  }

 private:
  Program(std::string name, const char* address, pid_t pid)
      : name_(std::move(name)), address_(address), pid_(pid) {}

  std::string name_;
  const char* address_;
  pid_t pid_;
};

// The gateway's end.
class Gateway {
 public:
  static Result<Gateway> open() {
    Gateway gateway;
    const sockaddr_in name = at(kGateway, tunnels::kGenevePort);
    const int fd = gateway.socket_.fd();
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBytes, sizeof(kSocketBytes));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBytes, sizeof(kSocketBytes));
    if (bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0)
      return fail_errno("cannot bind", kGateway);
    return gateway;
  }

  void send(const char* address, std::span<const Datagram> burst) {
    const sockaddr_in to = at(address, tunnels::kGenevePort);
    for (const Datagram& datagram : burst)
      (void)sendto(socket_.fd(), datagram.data(), datagram.size(), 0,
                   reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }

  // Waits until `count` replies have come, or for too long. Returns how many came. It looks now and
  // then and never waits in the socket: waking it would be work of whoever replies.
  size_t receive(size_t count, int patience_ms = kPatienceMs) {
    const auto end = Clock::now() + std::chrono::milliseconds(patience_ms);
    size_t got = 0;
    uint8_t byte = 0;
    while (got < count && Clock::now() < end) {
      usleep(1000);
      while (recv(socket_.fd(), &byte, 1, MSG_TRUNC | MSG_DONTWAIT) > 0) got++;
    }
    return got;
  }

 private:
  Gateway() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  Socket socket_;
};

// All traffic once; the CPU time it took. The packets of a burst wait in the program's socket while
// it stands still.
Result<uint64_t> run_round(const Program& program, Gateway& gateway,
                           const std::vector<Datagram>& traffic) {
  uint64_t sum = 0;
  for (size_t first = 0; first < traffic.size(); first += kBurst) {
    const size_t count = std::min(kBurst, traffic.size() - first);
    program.stop();
    gateway.send(program.address(), std::span(traffic).subspan(first, count));
    const uint64_t before = program.cpu_ns();
    program.go_on();
    if (const size_t got = gateway.receive(count); got != count)
      return fail("returned " + std::to_string(got) + " of " + std::to_string(count) + " packets",
                  program.name());
    sum += program.cpu_ns() - before;
  }
  return sum;
}

Result<> wait_until_ready(const Program& program, Gateway& gateway, const Datagram& datagram) {
  for (int i = 0; i < 200; i++) {
    gateway.send(program.address(), {&datagram, 1});
    if (gateway.receive(1, 100) == 1) {
      while (gateway.receive(1, 200) == 1) continue;  // answers to the earlier ones
      return {};
    }
  }
  return fail("does not answer", program.name());
}

}  // namespace

Result<std::vector<ApplianceCase>> bench_appliances(const ApplianceBenchOptions& options) {
  SLUICE_TRY_VOID(enter_own_network());
  std::vector<std::string> dpi = {"--eve", "/dev/null", "--health-port", "8081"};
  if (!options.policy.empty()) dpi.insert(dpi.end(), {"--policy", options.policy});
  SLUICE_TRY(Gateway gateway, Gateway::open());
  std::vector<std::unique_ptr<Program>> programs(2);
  SLUICE_TRY(programs[0], Program::start("sluice-pass", "127.0.0.11", {}));
  SLUICE_TRY(programs[1], Program::start("sluice-dpi", "127.0.0.12", dpi));

  const auto traffic = web_traffic(options.flows, options.packets_per_flow);
  const auto strangers = web_traffic(1, 10);
  uint64_t bytes = 0;
  for (const Datagram& datagram : traffic) bytes += datagram.size();
  for (const auto& program : programs)
    SLUICE_TRY_VOID(wait_until_ready(*program, gateway, strangers.front()));

  std::vector<double> cpu(programs.size(), std::numeric_limits<double>::max());
  const auto packets = static_cast<double>(traffic.size());
  for (uint32_t round = 0; round <= options.rounds; round++) {
    for (size_t i = 0; i < programs.size(); i++) {
      SLUICE_TRY(const uint64_t cpu_ns, run_round(*programs[i], gateway, traffic));
      if (round == 0) continue;  // to get warm
      cpu[i] = std::min(cpu[i], static_cast<double>(cpu_ns) / packets);
    }
  }
  std::vector<ApplianceCase> cases;
  for (size_t i = 0; i < programs.size(); i++)
    cases.push_back({programs[i]->name(), cpu[i], 1e9 / cpu[i], cpu[0] / cpu[i], traffic.size(),
                     static_cast<double>(bytes) / packets});
  return cases;
}

}  // namespace sluice::testbed
