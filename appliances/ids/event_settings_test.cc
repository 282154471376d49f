// SPDX-License-Identifier: Apache-2.0
// The settings of types of events.
#include <gtest/gtest.h>

#include "appliances/ids/settings.h"
#include "appliances/ids/settings_for_test.h"

namespace sluice::ids {
namespace {

using EventSettingsTest = SettingsTest;

TEST_F(EventSettingsTest, WhichEventsAreExtended) {
  const inspect::EventTypes& extended = options_.inspection.events.extended;
  const auto types = [&](const std::string& list) {
    return apply("outputs: [{eve-log: {types: " + list + "}}]\n");
  };
  EXPECT_TRUE(extended.has("http") && extended.has("tls")) << "without any setting";
  EXPECT_EQ(types("[alert]"), None{});
  EXPECT_TRUE(extended.has("http") && extended.has("tls")) << "they are not named";
  EXPECT_EQ(types("[http, tls: {extended: yes}]"), None{});
  EXPECT_TRUE(!extended.has("http") && extended.has("tls"));
  EXPECT_EQ(types("[http: {extended: yes}, tls: {extended: no}]"), None{});
  EXPECT_TRUE(extended.has("http") && !extended.has("tls"));
  EXPECT_EQ(types("[tls: {custom: [version]}]").size(), 1u) << "it has more than this member";
  EXPECT_TRUE(extended.has("tls"));
  const std::string type = "outputs.0.eve-log.types.0.";
  EXPECT_TRUE(apply_setting(type + "http.extended=no", options_));
  EXPECT_FALSE(extended.has("http"));
  for (const char* bad : {"http.extended=perhaps", "dns.extended=yes"})
    EXPECT_FALSE(apply_setting(type + bad, options_)) << bad;
}

TEST_F(EventSettingsTest, WhatAnomaliesTellOf) {
  constexpr const char* kText = R"(
outputs:
  - eve-log:
      types:
        - flow: {enabled: no}
        - anomaly:
            enabled: yes
            types: {decode: yes, stream: yes, applayer: no}
            packethdr: yes
)";
  EXPECT_EQ(apply(kText), None{});
  const inspect::EventOptions& events = options_.inspection.events;
  EXPECT_TRUE(events.types.has("anomaly"));
  EXPECT_FALSE(events.types.has("flow"));
  EXPECT_TRUE(events.anomalies.decode && events.anomalies.stream && events.anomalies.packet_header);
  EXPECT_FALSE(events.anomalies.applayer);
  const std::string anomaly = "outputs.0.eve-log.types.0.anomaly.";
  EXPECT_TRUE(apply_setting(anomaly + "enabled=no", options_));
  EXPECT_FALSE(events.types.has("anomaly"));
  EXPECT_TRUE(apply_setting(anomaly + "enabled=yes", options_));
  EXPECT_TRUE(events.types.has("anomaly"));
  for (const char* bad : {"enabled=perhaps", "types.decode=some", "types.other=yes"})
    EXPECT_FALSE(apply_setting(anomaly + bad, options_)) << bad;
}

TEST_F(EventSettingsTest, TheExampleOfTheDocumentationIsUnderstood) {
  apply_example("ids-events.yaml");
  const inspect::EventOptions& events = options_.inspection.events;
  EXPECT_TRUE(events.types.has("anomaly") && events.types.has("stats"));
  EXPECT_TRUE(events.anomalies.stream && events.anomalies.decode);
  EXPECT_TRUE(options_.stats.deltas);
  EXPECT_EQ(options_.eve.path, "eve-%Y-%m-%d.json");
  EXPECT_TRUE(options_.eve.rotation.is_wanted());
}

TEST_F(EventSettingsTest, StatsAndTheSensor) {
  constexpr const char* kText = R"(
sensor-name: dmz-1
stats: {enabled: yes, interval: 30}
outputs:
  - eve-log:
      types:
        - stats: {totals: no, threads: yes, deltas: yes}
)";
  EXPECT_EQ(apply(kText), None{});
  EXPECT_EQ(options_.inspection.events.sensor_name, "dmz-1");
  EXPECT_TRUE(options_.inspection.events.types.has("stats"));
  EXPECT_EQ(options_.stats.interval_us, 30'000'000);
  EXPECT_TRUE(!options_.stats.totals && options_.stats.threads && options_.stats.deltas);
  for (const char* bad : {"stats.interval=0", "stats.interval=x", "stats.enabled=perhaps",
                          "outputs.0.eve-log.types.0.stats.threads=no"})
    EXPECT_FALSE(apply_setting(bad, options_)) << bad;
}

TEST_F(EventSettingsTest, NoStats) {
  apply(R"(
stats: {enabled: no}
outputs:
  - eve-log:
      types:
        - alert
        - stats: {enabled: yes}
)");
  EXPECT_FALSE(options_.inspection.events.types.has("stats"));
  EXPECT_TRUE(options_.inspection.events.types.has("alert"));
}

}  // namespace
}  // namespace sluice::ids
