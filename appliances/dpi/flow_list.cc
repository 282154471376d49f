// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/flow_list.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/capture.h"
#include "inspect/dpi/classifier.h"
#include "inspect/dpi/ndpi_event.h"
#include "inspect/eve/event.h"
#include "inspect/eve/json_line.h"
#include "inspect/stream/defrag.h"
#include "inspect/stream/flow_table.h"
#include "inspect/stream/tunnel.h"

namespace sluice::dpi {
namespace {

using inspect::FlowEnd;

constexpr int kForeverSeconds = 1 << 30;

inspect::FlowTableOptions table_options(uint32_t flows_max) {
  inspect::FlowTableOptions options;
  options.flows_max = flows_max;
  options.tcp_idle_seconds.fill(kForeverSeconds);
  options.other_idle_seconds.fill(kForeverSeconds);
  return options;
}

// The ICMP error itself instead of the flow that it is about.
void own_tuple(std::span<const uint8_t> ip, tunnels::packet& packet) {
  const bool v4 = packet.tuple.version == 4;
  const size_t size = v4 ? 4 : 16;
  packet.tuple = {};
  packet.tuple.version = v4 ? 4 : 6;
  packet.tuple.protocol = v4 ? tunnels::kProtocolIcmp : tunnels::kProtocolIcmpv6;
  std::memcpy(packet.tuple.source, &ip[v4 ? 12 : 8], size);
  std::memcpy(packet.tuple.destination, &ip[v4 ? 16 : 24], size);
}

class FlowList : public sdk::Appliance {
 public:
  FlowList(std::unique_ptr<inspect::Classifier> classifier, const DpiOptions& options,
           inspect::Sink& out)
      : classifier_(std::move(classifier)),
        sensor_name_(options.sensor_name),
        out_(out),
        flows_(table_options(options.flows.flows_max),
               [this](Record& record, FlowEnd end) { write(record, end); }) {}

  sdk::Answer handle(sdk::Packet& packet, sdk::Injector&) override {
    counters_.packets++;
    now_us_ = std::max(now_us_, packet.time_us);
    show(packet.ip);
    return sdk::Answer::kReturn;
  }

  void finish(int64_t) override {
    flows_.end_all(FlowEnd::kShutdown);
    out_.flush();
  }

  FlowListCounters counters() const { return counters_; }

 private:
  using Flows = inspect::FlowTable<inspect::FlowClassification>;
  using Record = Flows::Record;

  void show(std::span<const uint8_t> ip) {
    tunnels::packet packet;
    if (parse_ip_packet(ip, packet) != tunnels::kDropNone) {
      counters_.malformed++;
      return;
    }
    inspect::enter_tunnels(ip, packet);
    if (packet.flags & tunnels::kPacketFragment) return show_fragment(ip, packet);
    if (packet.flags & tunnels::kPacketIcmpError) own_tuple(ip, packet);
    Record& record = *flows_.see(packet, now_us_).record;
    classifier_->feed(record.user, ip, packet, now_us_);
  }

  void show_fragment(std::span<const uint8_t> ip, const tunnels::packet& packet) {
    const auto added = fragments_.add(ip.first(packet.l3_length), packet, now_us_);
    if (added.state == inspect::FragmentState::kComplete) return show(added.datagram);
    if (added.state != inspect::FragmentState::kHeld) counters_.fragments_refused++;
  }

  void write(Record& record, FlowEnd end) {
    counters_.flows++;
    classifier_->finish(record.user, record.to_server);
    inspect::begin_event(line_, record.start_us, "flow", record.id, record.to_server);
    inspect::write_ended_flow(line_, record, end);
    write_ndpi(line_, *classifier_, record.user);
    inspect::end_event(line_, sensor_name_, out_);
  }

  std::unique_ptr<inspect::Classifier> classifier_;
  const std::string sensor_name_;
  inspect::Sink& out_;
  inspect::JsonLine line_;
  inspect::Defragmenter fragments_;
  FlowListCounters counters_;
  int64_t now_us_ = 0;
  Flows flows_;
};

}  // namespace

Result<FlowListCounters> list_flows(const std::string& capture_file, const DpiOptions& options,
                                    inspect::Sink& out) {
  SLUICE_TRY(auto classifier, inspect::Classifier::create(options.lists));
  FlowList list(std::move(classifier), options, out);
  SLUICE_TRY_VOID(sdk::run_capture(capture_file, list));
  return list.counters();
}

}  // namespace sluice::dpi
