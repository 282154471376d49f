// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/standing_appliance.h"

#include <nlohmann/json.hpp>

#include "appliances/sdk/worker.h"
#include "testbed/replay/capture_file.h"

namespace sluice::testbed {

namespace {

// The largest datagram whose frame the data path takes.
constexpr size_t kReplyLengthMax = kFrameLengthMax - 42;

// The text at a path of objects; empty if there is none.
std::string text_at(const nlohmann::json& event, const char* object, const char* field) {
  const auto at = event.find(object);
  return at != event.end() && at->is_object() && at->contains(field) && (*at)[field].is_string()
             ? (*at)[field].get<std::string>()
             : "";
}

std::string alert_text(const nlohmann::json& event) {
  return "rule " + event.at("alert").value("signature_id", nlohmann::json()).dump() + " (" +
         text_at(event, "alert", "signature") + ")";
}

// Why a packet was dropped without an alert: the application and the policy about it, or the
// reason.
std::string drop_text(const nlohmann::json& event) {
  const std::string application = text_at(event, "ndpi", "proto");
  if (application.empty()) return text_at(event, "drop", "reason");
  const std::string rule = text_at(event, "verdict", "rule");
  return application + (rule.empty() ? "" : " (policy: " + rule + ")");
}

}  // namespace

void EveTap::write(std::string_view line) {
  if (next_) next_->write(line);
  const auto event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) return;
  const bool is_alert = event.contains("alert") && event["alert"].is_object();
  if (is_alert && text_at(event, "alert", "action") == "blocked")
    heard_.blocked_by = alert_text(event);
  else if (is_alert && heard_.alerts.size() < kHeardMax)
    heard_.alerts.push_back(alert_text(event));
  else if (event.contains("drop") && heard_.blocked_by.empty())
    heard_.blocked_by = drop_text(event);
}

void EveTap::flush() {
  if (next_) next_->flush();
}

StandingAppliance::StandingAppliance(std::string name, std::shared_ptr<EveTap> tap,
                                     std::unique_ptr<sdk::Appliance> appliance)
    : name_(std::move(name)), tap_(std::move(tap)), appliance_(std::move(appliance)) {}

std::span<const StandingAppliance::Reply> StandingAppliance::answer(
    std::span<const uint8_t> datagram, int64_t time_us) {
  replies_.clear();
  if (tap_) tap_->forget();
  received_.assign(datagram.begin(), datagram.end());
  received_.resize(datagram.size() + sdk::kHintOptionLength);
  sdk::answer_datagram(received_, datagram.size(), time_us, *appliance_, *this, counters_);
  return replies_;
}

void StandingAppliance::tick(int64_t time_us) {
  if (time_us < next_tick_us_) return;
  appliance_->tick(time_us);
  next_tick_us_ = time_us + sdk::kTickIntervalUs;
}

void StandingAppliance::finish(int64_t time_us) {
  appliance_->finish(time_us);
  if (tap_) tap_->flush();
}

void StandingAppliance::returned(std::span<uint8_t> datagram, bool hinted) {
  // As live, where it is too long for the link.
  if (hinted && datagram.size() > kReplyLengthMax) datagram = sdk::without_hint(datagram);
  replies_.push_back({false, {datagram.begin(), datagram.end()}});
}

bool StandingAppliance::injected(std::span<const uint8_t> header, std::span<const uint8_t> ip) {
  std::vector<uint8_t> datagram(std::min(header.size() + ip.size(), kReplyLengthMax));
  const size_t length = sdk::write_datagram(header, ip, datagram);
  if (length == 0) return false;
  datagram.resize(length);
  replies_.push_back({true, std::move(datagram)});
  return true;
}

}  // namespace sluice::testbed
