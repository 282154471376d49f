// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/dpi_bench.h"

#include <ndpi/ndpi_api.h>

#include <memory>

#include "inspect/dpi/classifier.h"
#include "inspect/stream/flow_table.h"
#include "testbed/bench/corpus.h"
#include "testbed/bench/measure.h"
#include "testbed/bench/web_traffic.h"

namespace sluice::testbed {
namespace {

using inspect::Classifier;
using inspect::FlowClassification;
using inspect::FlowEnd;

constexpr uint32_t kMadeUpFlows = 2000;
constexpr uint32_t kMadeUpPackets = 60;
constexpr uint32_t kFlowsMax = 65536;
// A round repeats the corpus until it has about this many packets.
constexpr size_t kPacketsPerRound = 1'000'000;
// Packets of a flow after which its memory is looked at: a handshake and the first payload.
constexpr uint64_t kFirstPackets = 4;

Result<Corpus> load(const std::vector<std::string>& captures) {
  if (!captures.empty()) return load_captures(captures);
  Corpus corpus;
  int64_t time_us = 1'700'000'000'000'000;
  for (const Datagram& datagram : web_traffic(kMadeUpFlows, kMadeUpPackets))
    corpus.add(std::span(datagram).subspan(8 + (datagram[0] & 0x3f) * 4u), time_us += 10);
  return corpus;
}

inspect::FlowTableOptions table_options() {
  inspect::FlowTableOptions options;
  options.flows_max = kFlowsMax;
  options.tcp_idle_seconds.fill(1 << 30);
  options.other_idle_seconds.fill(1 << 30);
  return options;
}

using Flows = inspect::FlowTable<FlowClassification>;

// Shows the corpus to `flows`; stops with each flow after `first` packets.
void classify(const Corpus& corpus, Classifier& classifier, Flows& flows,
              uint64_t first = UINT64_MAX) {
  for (const Corpus::Packet& at : corpus.packets()) {
    const std::span<const uint8_t> ip = corpus.ip(at);
    tunnels::packet packet;
    if (parse_ip_packet(ip, packet) != tunnels::kDropNone) continue;
    Flows::Record& record = *flows.see(packet, at.time_us).record;
    if (record.packets[0] + record.packets[1] <= first)
      classifier.feed(record.user, ip, packet, at.time_us);
  }
}

void early_stop(const Corpus& corpus, Classifier& classifier, size_t times) {
  for (size_t i = 0; i < times; i++) {
    Flows flows(table_options(), [&](Flows::Record& record, FlowEnd) {
      classifier.finish(record.user, record.to_server);
    });
    classify(corpus, classifier, flows);
    flows.end_all(FlowEnd::kShutdown);
  }
}

// nDPI as it comes, without what the classifier saves.
struct Plain {
  struct Free {
    void operator()(ndpi_flow_struct* flow) const { ndpi_free_flow(flow); }
  };
  std::unique_ptr<ndpi_flow_struct, Free> ndpi;
};

class PlainModule {
 public:
  PlainModule() : module_(ndpi_init_detection_module(ndpi_no_prefs)) {
    NDPI_PROTOCOL_BITMASK all;
    NDPI_BITMASK_SET_ALL(all);
    ndpi_set_protocol_detection_bitmask2(module_, &all);
    ndpi_finalize_initialization(module_);
  }
  ~PlainModule() { ndpi_exit_detection_module(module_); }
  PlainModule(const PlainModule&) = delete;
  PlainModule& operator=(const PlainModule&) = delete;

  void every_packet(const Corpus& corpus, size_t times) {
    for (size_t i = 0; i < times; i++) {
      inspect::FlowTable<Plain> flows(table_options(), [&](auto& record, FlowEnd) {
        uint8_t guessed = 0;
        ndpi_detection_giveup(module_, record.user.ndpi.get(), 1, &guessed);
      });
      for (const Corpus::Packet& at : corpus.packets()) show(flows, corpus.ip(at), at.time_us);
      flows.end_all(FlowEnd::kShutdown);
    }
  }

 private:
  void show(inspect::FlowTable<Plain>& flows, std::span<const uint8_t> ip, int64_t time_us) {
    tunnels::packet packet;
    if (parse_ip_packet(ip, packet) != tunnels::kDropNone) return;
    auto& ndpi = flows.see(packet, time_us).record->user.ndpi;
    if (ndpi == nullptr) {
      ndpi.reset(static_cast<ndpi_flow_struct*>(ndpi_flow_malloc(sizeof(ndpi_flow_struct))));
      *ndpi = {};
    }
    ndpi_detection_process_packet(module_, ndpi.get(), ip.data(),
                                  static_cast<uint16_t>(packet.l3_length),
                                  static_cast<uint64_t>(time_us / 1000));
  }

  ndpi_detection_module_struct* module_;
};

// Bytes of memory for each flow when all flows of the corpus are known, shown up to `first` packets
// each: record, bucket, what the classifier and nDPI have allocated.
double memory_per_flow(const Corpus& corpus, Classifier& classifier, uint64_t first) {
  const auto finish = [&](Flows::Record& record, FlowEnd) {
    classifier.finish(record.user, record.to_server);
  };
  const double before = heap_bytes();
  Flows flows(table_options(), finish);
  const double empty = heap_bytes();
  classify(corpus, classifier, flows, first);
  const double per_flow = (heap_bytes() - empty) / flows.size() + (empty - before) / kFlowsMax;
  flows.end_all(FlowEnd::kShutdown);
  return per_flow;
}

}  // namespace

Result<DpiBench> bench_dpi(const DpiBenchOptions& options) {
  SLUICE_TRY(const Corpus corpus, load(options.captures));
  SLUICE_TRY(const auto classifier, Classifier::create());
  PlainModule plain;

  DpiBench bench;
  bench.corpus = options.captures.empty() ? "made-up traffic of web users"
                                          : std::to_string(options.captures.size()) + " captures";
  const size_t times = std::max<size_t>(1, kPacketsPerRound / corpus.packets().size());
  bench.packets = corpus.packets().size() * times;
  bench.bytes_per_flow = memory_per_flow(corpus, *classifier, UINT64_MAX);
  bench.bytes_at_first = memory_per_flow(corpus, *classifier, kFirstPackets);

  std::vector<double> early, every;
  for (uint32_t round = 0; round < options.rounds; round++) {
    const auto before = classifier->counters();
    early.push_back(seconds_of([&] { early_stop(corpus, *classifier, times); }));
    bench.shown = classifier->counters().packets - before.packets;
    bench.flows = classifier->counters().searches - before.searches;
    every.push_back(seconds_of([&] { plain.every_packet(corpus, times); }));
  }
  const auto packets = static_cast<double>(bench.packets);
  bench.mpps = packets / median(early) / 1e6;
  bench.mpps_every = packets / median(every) / 1e6;
  bench.ratio = bench.mpps / bench.mpps_every;
  bench.gbit_per_s = static_cast<double>(corpus.bytes() * times) * 8 / median(early) / 1e9;
  return bench;
}

}  // namespace sluice::testbed
