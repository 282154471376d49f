// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

TEST(EventBus, TellsEveryListenerInOrder) {
  EventBus bus;
  std::vector<std::string> heard;
  uint64_t second = 0;
  bus.listen([&](const Event& event) { heard.push_back("a" + std::to_string(event.number)); });
  second = bus.listen([&](const Event& event) {
    heard.push_back("b" + std::to_string(event.number));
    if (event.number == 2) bus.remove(second);
  });
  for (int i = 0; i < 3; i++) bus.publish(EventKind::kHealth, EventLevel::kInfo, "x");
  EXPECT_EQ(heard, (std::vector<std::string>{"a1", "b1", "a2", "b2", "a3"}));
  EXPECT_EQ(bus.published(EventKind::kHealth), 3u);
  EXPECT_EQ(bus.published(EventKind::kNotice), 0u);
}

TEST(EventBus, KeepsTheLatest) {
  EventBus bus;
  for (size_t i = 0; i < EventBus::kKeptMax + 5; i++)
    bus.publish(EventKind::kNotice, EventLevel::kInfo, "n");
  EXPECT_EQ(bus.kept().size(), EventBus::kKeptMax);
  EXPECT_EQ(bus.kept().front().number, 6u);
  EXPECT_EQ(bus.kept().back().number, EventBus::kKeptMax + 5);
}

TEST(Event, IsOneLineOfJson) {
  Event event{7,
              1'769'860'800'042,
              EventKind::kHealth,
              EventLevel::kWarning,
              "a\nb",
              {{"target", "10.0.0.1:80"}, {"name", "\xff\""}}};
  const std::string text = event_json(event);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["number"], 7);
  EXPECT_EQ(json["time"], "2026-01-31T12:00:00.042Z");
  EXPECT_EQ(json["kind"], "health");
  EXPECT_EQ(json["level"], "warning");
  EXPECT_EQ(json["text"], "a\nb");
  EXPECT_EQ(json["target"], "10.0.0.1:80");
}

}  // namespace
}  // namespace sluice::gateway
