// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/corpus.h"

#include "appliances/sdk/capture.h"

namespace sluice::testbed {
namespace {

struct Collector : sdk::Appliance {
  explicit Collector(Corpus& to) : corpus(to) {}
  sdk::Answer handle(sdk::Packet& packet, sdk::Injector&) override {
    corpus.add(packet.ip, packet.time_us);
    return sdk::Answer::kReturn;
  }
  Corpus& corpus;
};

}  // namespace

Result<Corpus> load_captures(const std::vector<std::string>& files) {
  Corpus corpus;
  Collector collector(corpus);
  for (const std::string& file : files) SLUICE_TRY_VOID(sdk::run_capture(file, collector));
  if (corpus.packets().empty()) return fail("there are no IP packets in the captures");
  return corpus;
}

}  // namespace sluice::testbed
