// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/ids_bench.h"

#include <filesystem>

#include "inspect/match/fast_pattern.h"
#include "inspect/match/inspector.h"
#include "testbed/bench/ids_memory.h"
#include "testbed/bench/ids_rules.h"
#include "testbed/bench/ids_traffic.h"
#include "testbed/bench/measure.h"

namespace sluice::testbed {
namespace {

using inspect::Engine;
using inspect::Inspector;
using EnginePtr = std::shared_ptr<const Engine>;

// Events are made and go nowhere.
struct NoSink final : inspect::Sink {
  void write(std::string_view) override {}
};

struct NoCandidates final : inspect::CandidateSink {
  void candidate(uint32_t) override {}
};

// A directory that is gone afterwards.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-bench-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inspect::InspectorOptions inspection(size_t flows_max) {
  inspect::InspectorOptions options;
  options.flows.flows_max = static_cast<uint32_t>(flows_max);
  options.flows.tcp_idle_seconds.fill(1 << 30);
  options.flows.other_idle_seconds.fill(1 << 30);
  options.stream_memory_max = size_t{4} << 30;
  return options;
}

// Hyperscan over payloads.
class Searcher {
 public:
  static Result<std::unique_ptr<Searcher>> create(const Engine& engine) {
    std::vector<inspect::Prefilter::Pattern> patterns;
    for (uint32_t i = 0; i < engine.size(); i++) {
      const inspect::Content* best = nullptr;
      for (const inspect::RulePart& part : engine.rule(i).rule.parts) {
        const inspect::Content* content = inspect::fast_pattern_of(part.matches);
        if (inspect::is_better_pattern(content, best)) best = content;
      }
      if (best != nullptr)
        patterns.push_back({inspect::fast_pattern_bytes(*best), best->nocase, i});
    }
    if (patterns.empty()) return fail("no rule has a content to search for");
    SLUICE_TRY(auto database, inspect::Prefilter::compile(std::move(patterns)));
    std::unique_ptr<Searcher> searcher(new Searcher(std::move(database)));
    SLUICE_TRY_VOID(searcher->database_.prepare(searcher->scratch_));
    return searcher;
  }
  void search(const std::vector<std::span<const uint8_t>>& payloads) {
    for (const auto payload : payloads) database_.scan(payload, scratch_, sink_);
  }

 private:
  explicit Searcher(inspect::Prefilter database) : database_(std::move(database)) {}

  inspect::Prefilter database_;
  inspect::PrefilterScratch scratch_;
  NoCandidates sink_;
};

std::vector<std::span<const uint8_t>> payloads_of(const Corpus& corpus) {
  std::vector<std::span<const uint8_t>> out;
  for (const Corpus::Packet& packet : corpus.packets()) {
    const auto view = inspect::view_packet(corpus.ip(packet));
    if (view && !view->payload.empty()) out.push_back(view->payload);
  }
  return out;
}

void show(Inspector& inspector, const Corpus& corpus) {
  inspect::Responses responses;
  for (const Corpus::Packet& packet : corpus.packets())
    (void)inspector.inspect(corpus.ip(packet), packet.time_us, responses);
}

Result<IdsTraffic> measure(const EnginePtr& engine, Searcher& searcher, const std::string& name,
                           const Corpus& corpus, uint32_t rounds) {
  NoSink sink;
  IdsTraffic out;
  out.name = name;
  const auto payloads = payloads_of(corpus);
  std::vector<double> ours, alone;
  for (uint32_t round = 0; round < rounds; round++) {
    alone.push_back(seconds_of([&] { searcher.search(payloads); }));
    SLUICE_TRY(const auto inspector, Inspector::create(engine, inspection(1 << 18), sink));
    ours.push_back(seconds_of([&] {
      show(*inspector, corpus);
      inspector->finish(corpus.packets().back().time_us);
    }));
    const auto& counters = inspector->counters();
    out.alerts = counters.alerts;
    out.dropped = counters.packets - counters.passed - counters.passed_by_flow;
  }
  const auto packets = static_cast<double>(corpus.packets().size());
  const double bits = static_cast<double>(corpus.bytes()) * 8;
  out.packets = corpus.packets().size();
  out.bytes_per_packet = static_cast<double>(corpus.bytes()) / packets;
  out.mpps = packets / median(ours) / 1e6;
  out.gbit_per_s = bits / median(ours) / 1e9;
  out.hyperscan_gbit_per_s = bits / median(alone) / 1e9;
  return out;
}

Result<EnginePtr> start(inspect::EngineOptions rules, const std::string& cache, double& seconds) {
  rules.cache_directory = cache;
  const double begin = cpu_seconds();
  SLUICE_TRY(auto engine, Engine::create(rules));
  seconds = cpu_seconds() - begin;
  return engine;
}

Result<> measure_start(const inspect::EngineOptions& rules, IdsBench& bench) {
  const TemporaryDirectory directory;
  if (directory.path().empty()) return fail_errno("cannot make a temporary directory");
  double filling = 0;
  SLUICE_TRY_VOID(start(rules, directory.path(), filling));
  SLUICE_TRY_VOID(start(rules, directory.path(), bench.cached_start_s));
  return {};
}

}  // namespace

Result<IdsBench> bench_ids(const IdsBenchOptions& options) {
  inspect::EngineOptions rules = options.rules;
  if (rules.rule_files.empty())
    rules.rule_texts.emplace_back("made up", made_up_rules(options.made_up_rules));
  IdsBench bench;
  SLUICE_TRY(const EnginePtr engine, start(rules, "", bench.start_s));
  SLUICE_TRY_VOID(measure_start(rules, bench));
  bench.rules = engine->size();
  bench.refused = engine->refused().size();

  SLUICE_TRY(const auto searcher, Searcher::create(*engine));
  const auto add = [&](const std::string& name, const Corpus& corpus) -> Result<> {
    SLUICE_TRY(auto traffic, measure(engine, *searcher, name, corpus, options.rounds));
    bench.traffic.push_back(std::move(traffic));
    return {};
  };
  if (options.captures.empty()) {
    SLUICE_TRY_VOID(add("web", web_mix(options.flows)));
    SLUICE_TRY_VOID(add("imix", imix(options.flows * 50)));
    SLUICE_TRY_VOID(add("small", small_mix(options.flows * 50)));
  } else {
    SLUICE_TRY(const Corpus corpus, load_captures(options.captures));
    SLUICE_TRY_VOID(add("captures", corpus));
  }
  if (options.open_flows == 0) return bench;
  bench.open_flows = options.open_flows;
  const auto memory = [&](OpenFlow kind, Opened opened, OpenFlowsMemory& out) -> Result<> {
    SLUICE_TRY(out, measure_open_flows(engine, kind, options.open_flows, opened));
    return {};
  };
  SLUICE_TRY_VOID(memory(OpenFlow::kHandshake, Opened::kAtOnce, bench.memory.handshake));
  SLUICE_TRY_VOID(memory(OpenFlow::kTls, Opened::kAtOnce, bench.memory.tls));
  SLUICE_TRY_VOID(memory(OpenFlow::kHttp, Opened::kSteadily, bench.memory.http_silent));
  SLUICE_TRY_VOID(memory(OpenFlow::kHttp, Opened::kAtOnce, bench.memory.http));
  return bench;
}

}  // namespace sluice::testbed
