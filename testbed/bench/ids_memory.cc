// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/ids_memory.h"

#include <algorithm>
#include <string>

#include "inspect/match/inspector.h"
#include "testbed/bench/measure.h"

namespace sluice::testbed {
namespace {

using inspect::Inspector;

// Events are made and go nowhere.
struct NoSink final : inspect::Sink {
  void write(std::string_view) override {}
};

inspect::InspectorOptions room_for(uint32_t flows) {
  inspect::InspectorOptions options;
  options.flows.flows_max = flows;
  options.flows.tcp_idle_seconds.fill(1 << 30);
  options.stream_memory_max = size_t{16} << 30;
  return options;
}

// Packets are made for one tick after the other: all together would take more memory than what is
// measured.
void open(Inspector& inspector, OpenFlow kind, uint32_t flows, Opened opened) {
  inspect::Responses responses;
  int64_t time_us = 1'700'000'000'000'000;
  for (uint32_t first = 0; first < flows; first += kOpenedPerTick) {
    const Corpus corpus = open_flows(kind, first, std::min(kOpenedPerTick, flows - first), time_us);
    for (const Corpus::Packet& packet : corpus.packets())
      (void)inspector.inspect(corpus.ip(packet), packet.time_us, responses);
    time_us += kTickUs;
    if (opened == Opened::kSteadily) inspector.tick(time_us);
  }
  const int64_t end_us = time_us + 3'000'000;
  while (opened == Opened::kSteadily && time_us < end_us) inspector.tick(time_us += kTickUs);
}

}  // namespace

Result<OpenFlowsMemory> measure_open_flows(std::shared_ptr<const inspect::Engine> engine,
                                           OpenFlow kind, uint32_t flows, Opened opened) {
  NoSink sink;
  forget_resident_peak();
  const double before = heap_bytes();
  SLUICE_TRY(const auto inspector, Inspector::create(std::move(engine), room_for(flows), sink));
  open(*inspector, kind, flows, opened);
  const auto& counters = inspector->counters();
  if (inspector->flows() != flows || counters.packets != counters.passed + counters.passed_by_flow)
    return fail(std::to_string(inspector->flows()) + " of " + std::to_string(flows) +
                " flows are open, " + std::to_string(counters.packets - counters.passed) +
                " packets were dropped");
  return OpenFlowsMemory{(heap_bytes() - before) / flows, resident_peak_bytes()};
}

}  // namespace sluice::testbed
