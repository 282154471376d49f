// SPDX-License-Identifier: Apache-2.0
// For tests: rules as text, packets in, verdicts and parsed events out.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "inspect/match/inspector.h"
#include "inspect/stream/test_packets.h"

namespace sluice::inspect::testing {

inline constexpr uint8_t kSyn = tunnels::kTcpSyn;
inline constexpr uint8_t kAck = tunnels::kTcpAck;
inline constexpr uint8_t kRst = tunnels::kTcpRst;

class Harness {
 public:
  explicit Harness(const std::string& rules, InspectorOptions options = {},
                   EngineOptions engine_options = {})
      : engine_options_(std::move(engine_options)) {
    engine_ = engine_of(rules);
    options.events.types = options.events.types.without(EventType::kFlow);
    inspector_ = std::move(*Inspector::create(engine_, options, sink_));
  }

  // Other rules take the place of those that are there.
  void reload(const std::string& rules) {
    engine_ = engine_of(rules);
    const auto parts = InspectorParts::make(*engine_);
    ASSERT_TRUE(parts) << parts.error().text();
    inspector_->use(engine_, **parts);
  }

  // True if the packet passed.
  bool send(const Bytes& ip, const Frame& frame = {}) {
    return inspector_->inspect(ip, time_us_ += 1000, responses_, frame) ==
           Inspector::Verdict::kPass;
  }

  // The handshake of a connection whose client begins at `client_isn`, server at `server_isn`.
  void connect(const Ends& client, uint32_t client_isn = 1000, uint32_t server_isn = 5000) {
    send(tcp(client, kSyn, client_isn, 0));
    send(tcp(client.turned(), kSyn | kAck, server_isn, client_isn + 1));
    send(tcp(client, kAck, client_isn + 1, server_isn + 1));
  }
  // Client data at an offset of its stream.
  bool data(const Ends& client, uint32_t offset, std::string_view text) {
    return send(tcp(client, kAck, 1001 + offset, 5001, text));
  }

  std::vector<nlohmann::json> events() const {
    std::vector<nlohmann::json> out;
    std::istringstream lines(sink_.text());
    for (std::string line; std::getline(lines, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  }
  // The signature ids of all alerts, in order.
  std::vector<int> alerts() const {
    std::vector<int> out;
    for (const auto& event : events()) {
      if (event.at("event_type") == "alert") out.push_back(event.at("alert").at("signature_id"));
    }
    return out;
  }
  // The reasons of all drop events, in order.
  std::vector<std::string> drops() const {
    std::vector<std::string> out;
    for (const auto& event : events()) {
      if (event.at("event_type") == "drop") out.push_back(event.at("drop").at("reason"));
    }
    return out;
  }
  std::string text() const { return sink_.text(); }
  void pass_time(int64_t us) {
    time_us_ += us;
    inspector_->tick(time_us_);
  }
  void forget_events() { sink_.clear(); }

  Inspector& inspector() { return *inspector_; }
  const std::shared_ptr<const Engine>& engine() const { return engine_; }
  const Responses& responses() const { return responses_; }

 private:
  std::shared_ptr<const Engine> engine_of(const std::string& rules) {
    engine_options_.rule_texts = {{"test", rules}};
    auto engine = Engine::create(engine_options_, engine_.get());
    EXPECT_TRUE(engine) << engine.error().text();
    for (const RefusedRule& refused : (*engine)->refused()) ADD_FAILURE() << refused.text();
    return *engine;
  }

  EngineOptions engine_options_;
  MemorySink sink_;
  std::shared_ptr<const Engine> engine_;
  std::unique_ptr<Inspector> inspector_;
  Responses responses_;
  int64_t time_us_ = 1'700'000'000'000'000;
};

using Sids = std::vector<int>;

}  // namespace sluice::inspect::testing
