// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/live.h"

#include <poll.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "testbed/replay/flow_log.h"
#include "testbed/replay/live_end.h"

namespace sluice::testbed {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr MacBytes kOutsideMac = {2, 0x5e, 0x9e, 0, 0, 1};
constexpr MacBytes kInsideMac = {2, 0x5e, 0x9e, 0, 0, 2};
constexpr auto kProgressInterval = milliseconds(1000);
constexpr auto kReceiveInterval = milliseconds(20);
constexpr auto kQuietAfterEnd = milliseconds(300);  // without an arrival: that was all
constexpr auto kWaitAfterEndMax = milliseconds(3000);
constexpr double kSpeedMax = 1e6;

class LiveRun {
 public:
  LiveRun(const tunnels::siphash_key& key, const LiveOptions& options, LiveEnd outside,
          LiveEnd inside)
      : options_(options),
        ends_{std::move(outside), std::move(inside)},
        flows_(tunnels::flow_hash_key_from(&key)) {}

  LiveReport run(CaptureReader& reader) {
    for (LiveEnd& end : ends_) end.announce();
    start_ = Clock::now();
    next_progress_ = start_ + kProgressInterval;
    CapturedFrame frame;
    while (reader.counts().frames < options_.frames_max) {
      const auto more = reader.next(frame);
      if (!more) report_.capture_error = more.error();
      if (!more || !*more) break;
      wait_for(frame.time_ns);
      send(frame);
    }
    report_.capture = reader.counts();
    report_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    wait_for_the_last();
    update();
    return report_;
  }

 private:
  void wait_for(int64_t time_ns) {
    if (first_ns_ < 0) first_ns_ = time_ns;
    latest_ns_ = std::max(latest_ns_, time_ns - first_ns_);
    Clock::time_point due = Clock::now();
    if (options_.speed > 0)
      due = start_ +
            nanoseconds(static_cast<int64_t>(static_cast<double>(latest_ns_) / options_.speed));
    do {
      listen(std::min(due, Clock::now() + kReceiveInterval));
    } while (Clock::now() < due);
  }

  // Takes arrivals until `until`, at least once.
  void listen(Clock::time_point until) {
    const auto left = std::chrono::duration_cast<nanoseconds>(until - Clock::now());
    pollfd readable[2] = {{ends_[0].fd(), POLLIN, 0}, {ends_[1].fd(), POLLIN, 0}};
    const int64_t ns = std::max<int64_t>(left.count(), 0);
    const timespec timeout = {ns / 1'000'000'000, ns % 1'000'000'000};
    if (ppoll(readable, 2, &timeout, nullptr) > 0)
      for (LiveEnd& end : ends_) end.receive();
    if (Clock::now() >= next_progress_) show_progress();
  }

  void send(const CapturedFrame& frame) {
    tunnels::packet packet{};
    const uint8_t* data = frame.bytes.data();
    const uint8_t* end = data + frame.bytes.size();
    const uint16_t type = tunnels::parse_ethernet(data, end, &packet);
    if (type != tunnels::kEtherTypeIpv4 && type != tunnels::kEtherTypeIpv6) {
      report_.not_ip++;
      return;
    }
    const uint8_t version = type == tunnels::kEtherTypeIpv4 ? 4 : 6;
    Side side = Side::kOutside;  // what is malformed comes from the outside
    if (tunnels::parse_ip(data, end, version, &packet) == tunnels::kDropNone) {
      if (packet.flags & tunnels::kPacketNeighbourDiscovery) {
        report_.not_ip++;
        return;
      }
      side = side_of(packet, frame.time_ns);
    }
    frame_.assign(frame.bytes.begin(), frame.bytes.end());
    LiveWay& way = report_.ways[static_cast<size_t>(side)];
    (ends_[static_cast<size_t>(side)].send(frame_) ? way.sent : way.refused)++;
  }

  Side side_of(const tunnels::packet& packet, int64_t time_ns) {
    if (const auto known = options_.sides.of(packet.tuple)) return *known;
    const auto seen = flows_.see(packet, time_ns / 1000);
    return seen.direction == inspect::Direction::kToServer ? Side::kOutside : Side::kInside;
  }

  void wait_for_the_last() {
    const auto end = Clock::now() + kWaitAfterEndMax;
    auto quiet_at = Clock::now() + kQuietAfterEnd;
    while (Clock::now() < std::min(end, quiet_at)) {
      const uint64_t before = ends_[0].arrived() + ends_[1].arrived();
      listen(Clock::now() + kReceiveInterval);
      if (ends_[0].arrived() + ends_[1].arrived() != before)
        quiet_at = Clock::now() + kQuietAfterEnd;
    }
  }

  // What left at one end arrives at the other.
  void update() {
    for (size_t i = 0; i < ends_.size(); i++) {
      report_.ways[i].arrived = ends_[1 - i].arrived();
      report_.ways[i].overflowed = ends_[1 - i].overflowed();
    }
  }

  void show_progress() {
    update();
    const auto& [in, out] = report_.ways;
    std::fprintf(
        stderr, "replay: %.0f s; to the inside %llu of %llu arrived, to the outside %llu of %llu\n",
        std::chrono::duration<double>(Clock::now() - start_).count(),
        static_cast<unsigned long long>(in.arrived), static_cast<unsigned long long>(in.sent),
        static_cast<unsigned long long>(out.arrived), static_cast<unsigned long long>(out.sent));
    next_progress_ = Clock::now() + kProgressInterval;
  }

  const LiveOptions& options_;
  std::array<LiveEnd, 2> ends_;  // by Side
  FlowLog flows_;
  LiveReport report_;
  Clock::time_point start_;
  Clock::time_point next_progress_;
  int64_t first_ns_ = -1;
  int64_t latest_ns_ = 0;
  std::vector<uint8_t> frame_;
};

const LabNamespace* owner_of(const Topology& topology, const std::string& port,
                             const Interface** out) {
  for (const LabNamespace& space : topology.namespaces)
    for (const Interface& interface : space.interfaces)
      if (interface.name == port) {
        *out = &interface;
        return &space;
      }
  return nullptr;
}

nlohmann::ordered_json way_json(const LiveWay& way) {
  return {{"sent", way.sent},
          {"refused", way.refused},
          {"arrived", way.arrived},
          {"overflowed", way.overflowed}};
}

}  // namespace

Result<LivePlace> find_live_place(const Topology& topology, const std::string& port) {
  const auto place = [&](const LabNamespace& space, const Interface& interface) {
    return LivePlace{namespace_name(topology.name, space.name), interface.name};
  };
  for (const LabNamespace& space : topology.namespaces)
    for (const Interface& interface : space.interfaces)
      if (interface.peer_name == port) return place(space, interface);
  const Interface* own = nullptr;
  const LabNamespace* owner = owner_of(topology, port, &own);
  if (owner != nullptr && !own->switch_name.empty())
    for (const LabNamespace& space : topology.namespaces)
      for (const Interface& interface : space.interfaces)
        if (&space != owner && interface.switch_name == own->switch_name)
          return place(space, interface);
  return fail("no namespace of the lab is wired to interface '" + port + "' of the gateway",
              "lab " + topology.name);
}

Result<LiveReport> replay_live(const gateway::Config& config, const LiveOptions& options) {
  const auto attachment = std::ranges::find_if(config.attachments, [&](const auto& each) {
    return options.attachment.empty() || each.name == options.attachment;
  });
  if (attachment == config.attachments.end())
    return fail("there is no attachment '" + options.attachment + "'", config.file);
  TopologyResult topology = read_topology(config.file);
  if (!topology) return tl::make_unexpected(topology.error().front());
  if (!options.lab.empty()) topology->name = options.lab;
  SLUICE_TRY(const LivePlace outside, find_live_place(*topology, attachment->outside));
  SLUICE_TRY(const LivePlace inside, find_live_place(*topology, attachment->inside));
  SLUICE_TRY(CaptureReader reader, CaptureReader::open(options.capture));
  SLUICE_TRY(LiveEnd outside_end,
             LiveEnd::open(outside.network_namespace, outside.interface, kOutsideMac, kInsideMac));
  SLUICE_TRY(LiveEnd inside_end,
             LiveEnd::open(inside.network_namespace, inside.interface, kInsideMac, kOutsideMac));
  LiveRun run(config.gateway.key, options, std::move(outside_end), std::move(inside_end));
  return run.run(reader);
}

std::string live_report_text(const LiveReport& report) {
  const auto line = [](const char* title, const LiveWay& way) {
    return std::string(title) + ": sent " + std::to_string(way.sent) + ", arrived " +
           std::to_string(way.arrived) + ", refused " + std::to_string(way.refused) +
           (way.overflowed != 0 ? ", not counted " + std::to_string(way.overflowed) : "") + "\n";
  };
  char frames[160];
  std::snprintf(frames, sizeof(frames), "frames: read %llu, not IP %llu, %.1f s\n",
                static_cast<unsigned long long>(report.capture.frames),
                static_cast<unsigned long long>(report.not_ip), report.seconds);
  return line("to the inside ", report.ways[0]) + line("to the outside", report.ways[1]) + frames;
}

std::string live_report_json(const LiveReport& report) {
  nlohmann::ordered_json out;
  out["to_inside"] = way_json(report.ways[0]);
  out["to_outside"] = way_json(report.ways[1]);
  out["frames"] = {{"read", report.capture.frames},
                   {"truncated", report.capture.truncated},
                   {"too_long", report.capture.too_long},
                   {"not_ethernet", report.capture.not_ethernet},
                   {"not_ip", report.not_ip}};
  out["seconds"] = report.seconds;
  return out.dump(2) + "\n";
}

Result<double> parse_speed(const std::string& text) {
  if (text == "max") return 0.0;
  double speed = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, speed);
  if (error != std::errc{} || stop != end || !(speed >= 1 / kSpeedMax && speed <= kSpeedMax))
    return fail("a speed is a number like 2 or 0.5, or max", text);
  return speed;
}

}  // namespace sluice::testbed
