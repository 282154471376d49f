// SPDX-License-Identifier: Apache-2.0
// What the control plane takes with many target groups: a large file into effect, calls of the AWS
// API over a loopback connection with the server on a thread of its own as in the daemon, the
// tables brought up to date, and packets meanwhile.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <thread>

#include "gateway/control/changes.h"
#include "gateway/datapath/path_fixture.h"
#include "testbed/bench/bench.h"
#include "testbed/bench/control_gateway.h"
#include "tunnels/frames_for_test.h"

namespace sluice::testbed {
namespace {

using namespace gateway;  // NOLINT
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// A blocking client that keeps its connection.
class Client {
 public:
  static Result<Client> connect(uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    SLUICE_TRY(const SocketAddress to, SocketAddress::parse("127.0.0.1", port));
    if (::connect(fd.get(), to.raw(), to.size()) != 0) return fail_errno("cannot connect");
    return Client(std::move(fd));
  }
  // The body of the answer, which must be a success.
  Result<std::string> call(const std::string& form) {
    const std::string body = form + "&Version=2015-12-01";
    const std::string request =
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    if (::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      return fail_errno("cannot send");
    std::string in;
    while (true) {
      const size_t head = in.find("\r\n\r\n");
      if (head != std::string::npos) {
        const size_t at = in.find("Content-Length: ");
        const size_t size = std::stoul(in.substr(at + 16, 12));
        if (in.size() >= head + 4 + size) {
          if (!in.starts_with("HTTP/1.1 200")) return fail("refused: " + in);
          return in.substr(head + 4);
        }
      }
      char chunk[65536];
      const ssize_t count = ::recv(fd_.get(), chunk, sizeof chunk, 0);
      if (count <= 0) return fail_errno("the connection ended");
      in.append(chunk, static_cast<size_t>(count));
    }
  }

 private:
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

std::vector<std::string> texts_of(const std::string& xml, const std::string& element) {
  std::vector<std::string> out;
  const std::string open = "<" + element + ">";
  for (size_t at = 0; (at = xml.find(open, at)) != std::string::npos;) {
    at += open.size();
    out.push_back(xml.substr(at, xml.find('<', at) - at));
  }
  return out;
}

template <class Call>
Result<Latencies> measure(uint32_t calls, const Call& call) {
  std::vector<double> all;
  for (uint32_t i = 0; i < calls; i++) {
    const auto start = Clock::now();
    if (auto result = call(i); !result) return tl::make_unexpected(result.error());
    all.push_back(ms_since(start));
  }
  std::ranges::sort(all);
  return Latencies{all[all.size() / 2], all[all.size() * 99 / 100]};
}

// TCP segments of ever new flows, from outside, until it is stopped.
class Packets {
 public:
  explicit Packets(ProcessHost& host) : host_(host) {}
  ~Packets() { stop(); }
  void start() {
    sent = lost = 0;
    stop_ = false;
    thread_ = std::thread([this] { run(); });
  }
  // Packets per second of CPU time.
  double stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return seconds_ > 0 ? static_cast<double>(sent) / seconds_ : 0;
  }
  uint64_t sent = 0, lost = 0;

 private:
  void run() {
    using namespace tunnels::frames;  // NOLINT
    Bytes frame = gateway::fixture::with_checksum(
        ethernet(tunnels::kEtherTypeIpv4, {},
                 ipv4(tunnels::kProtocolTcp, tcp(1024, 443, tunnels::kTcpAck, Bytes(6, 'x')),
                      {.source = {10, 0, 0, 0}, .destination = {10, 199, 0, 1}})));
    FrameBuffer buffer;
    const double begin = thread_seconds();
    for (; !stop_; sent++) {
      const auto flow = static_cast<uint32_t>(sent % 100'000);
      std::memcpy(&frame[26 + 1], &flow, 3);  // source address
      buffer.assign(frame);
      lost += host_.run(buffer, /*out0*/ 1).verdict != kVerdictTarget;
    }
    seconds_ = thread_seconds() - begin;
  }

  ProcessHost& host_;
  std::atomic<bool> stop_ = true;
  double seconds_ = 0;
  std::thread thread_;
};

Result<> describe_all(Client& client, ControlBench& bench) {
  const auto start = Clock::now();
  std::vector<std::string> arns;
  std::string marker;
  do {
    SLUICE_TRY(const std::string page, client.call("Action=DescribeTargetGroups&PageSize=400" +
                                                   (marker.empty() ? "" : "&Marker=" + marker)));
    std::ranges::move(texts_of(page, "TargetGroupArn"), std::back_inserter(arns));
    const auto next = texts_of(page, "NextMarker");
    marker = next.empty() ? "" : next[0];
  } while (!marker.empty());
  bench.describe_groups_ms = ms_since(start);
  for (const std::string& arn : arns) {
    SLUICE_TRY(const std::string health,
               client.call("Action=DescribeTargetHealth&TargetGroupArn=" + arn));
    bench.described += texts_of(health, "HealthCheckPort").size();
  }
  bench.describe_all_ms = ms_since(start);
  return {};
}

Result<std::string> arn_of_group(Client& client, const std::string& name) {
  SLUICE_TRY(const std::string page,
             client.call("Action=DescribeTargetGroups&Names.member.1=" + name));
  const auto arns = texts_of(page, "TargetGroupArn");
  if (arns.empty()) return fail("the group '" + name + "' has no ARN");
  return arns[0];
}

Result<> bench_calls(Client& client, ControlBench& bench) {
  SLUICE_TRY(const std::string arn, arn_of_group(client, "g0"));
  SLUICE_TRY(bench.look, measure(bench.calls, [&](uint32_t) {
               return client.call("Action=DescribeTargetHealth&TargetGroupArn=" + arn);
             }));
  SLUICE_TRY(bench.change, measure(bench.calls / 10, [&](uint32_t i) {
               return client.call("Action=ModifyTargetGroupAttributes&TargetGroupArn=" + arn +
                                  "&Attributes.member.1.Key=deregistration_delay.timeout_seconds"
                                  "&Attributes.member.1.Value=" +
                                  std::to_string(i % 2));
             }));
  return {};
}

// Targets of groups other than the first come and go while packets are steered by the first.
Result<> bench_beside_packets(LargeGateway& gateway, Client& client, ControlBench& bench) {
  SLUICE_TRY(const std::string arn, arn_of_group(client, "g1"));
  Packets packets(gateway.host());
  packets.start();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  bench.packets_alone = packets.stop();

  const auto* rows = gateway.host().tables().rows;
  const std::vector<row> before(rows, rows + kApplianceRows);
  packets.start();
  SLUICE_TRY(bench.register_target, measure(bench.calls / 10, [&](uint32_t i) {
               return client.call(std::string("Action=") +
                                  (i % 2 == 0 ? "RegisterTargets" : "DeregisterTargets") +
                                  "&TargetGroupArn=" + arn + "&Targets.member.1.Id=10.99.0." +
                                  std::to_string(1 + i / 2 % 250));
             }));
  bench.packets_beside = packets.stop();
  bench.packets = packets.sent;
  bench.packets_lost = packets.lost;
  for (uint32_t i = 0; i < kApplianceRows; i++)
    bench.rows_moved += before[i].target != rows[i].target;
  return {};
}

// The tables alone, without the API: a target of another group each time is sick, then well.
Result<> bench_reconcile(const Config& config, ControlBench& bench) {
  class SickWorld : public OfflineWorld {
   public:
    TargetHealth health(const TargetName& name) override {
      if (name.group == sick_group && name.target == sick_target)
        return {HealthState::kUnhealthy, {}, {}};
      return OfflineWorld::health(name);
    }
    std::string sick_group;
    Target sick_target;
  } world;
  world.tunnel_interface = config.gateway.tunnel_interfaces[0];
  SLUICE_TRY(const auto host, ProcessHost::create({1024}));
  Reconciler reconciler(*host);
  SLUICE_TRY_VOID(reconciler.reconcile(config, world));
  SLUICE_TRY(bench.reconcile_one, measure(bench.calls / 10, [&](uint32_t i) {
               reconciler.health_changed(world.sick_group);
               const TargetGroup& group = config.target_groups[i % config.target_groups.size()];
               world.sick_group = i % 2 == 0 ? group.name : "";
               if (i % 2 == 0) world.sick_target = group.targets[0];
               reconciler.health_changed(world.sick_group);
               return reconciler.reconcile(config, world);
             }));
  SLUICE_TRY(const Latencies none, measure(bench.calls / 10, [&](uint32_t) {
               return reconciler.reconcile(config, world);
             }));
  bench.reconcile_none_ms = none.median_ms;
  return {};
}

Result<Config> read_large(const std::string& yaml) {
  auto config = parse_config(yaml, "bench");
  if (!config) return tl::make_unexpected(config.error()[0]);
  return *std::move(config);
}

Result<> bench_in(const std::string& folder, ControlBench& bench) {
  const std::string yaml = make_large_yaml(bench.groups, bench.targets);
  auto start = Clock::now();
  SLUICE_TRY(const Config config, read_large(yaml));
  bench.read_ms = ms_since(start);
  SLUICE_TRY_VOID(bench_reconcile(config, bench));
  start = Clock::now();
  SLUICE_TRY(const auto gateway, LargeGateway::create(config, folder + "/store"));
  bench.start_ms = ms_since(start);

  const std::string more = make_large_yaml(bench.groups, bench.targets, 1);
  start = Clock::now();
  SLUICE_TRY(Config next_file, read_large(more));
  const auto done = gateway->plane().commit(
      "file", [&](Config& next) { return apply_file(next, std::move(next_file)); });
  bench.reload_ms = ms_since(start);
  if (!done) return tl::make_unexpected(done.error()[0]);
  if (done->changes.size() != 1) return fail("the second file changed more than one group");

  SLUICE_TRY(const uint16_t port, gateway->serve());
  SLUICE_TRY(Client client, Client::connect(port));
  SLUICE_TRY_VOID(bench_calls(client, bench));
  SLUICE_TRY_VOID(describe_all(client, bench));
  return bench_beside_packets(*gateway, client, bench);
}

}  // namespace

Result<> bench_control(ControlBench& bench) {
  std::string folder = bench.store;
  if (folder.empty()) {
    folder = std::filesystem::temp_directory_path() / "sluice-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return fail_errno("cannot make a folder", folder);
  }
  auto done = bench_in(folder, bench);
  std::error_code ignored;
  for (const char* name : {"/store", "/store-wal", "/store-shm"})
    std::filesystem::remove(folder + name, ignored);
  if (bench.store.empty()) std::filesystem::remove(folder, ignored);
  return done;
}

}  // namespace sluice::testbed
