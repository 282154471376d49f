// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/standing_appliance.h"

#include <nlohmann/json.hpp>

#include "appliances/sdk/worker.h"
#include "testbed/replay/capture_file.h"

namespace sluice::testbed {

namespace {

// The largest datagram whose frame the data path takes.
constexpr size_t kReplyLengthMax = kFrameLengthMax - 42;

std::string alert_text(const nlohmann::json& alert) {
  return "rule " + std::to_string(alert.value("signature_id", uint64_t{0})) + " (" +
         alert.value("signature", "") + ")";
}

}  // namespace

void EveTap::write(std::string_view line) {
  if (next_) next_->write(line);
  const auto event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) return;
  const auto alert = event.find("alert");
  if (alert == event.end() || !alert->is_object()) return;
  const std::string text = alert_text(*alert);
  if (alert->value("action", "") == "blocked")
    heard_.blocked_by = text;
  else if (heard_.alerts.size() < kHeardMax)
    heard_.alerts.push_back(text);
}

void EveTap::flush() {
  if (next_) next_->flush();
}

StandingAppliance::StandingAppliance(std::string name, std::shared_ptr<EveTap> tap,
                                     std::unique_ptr<sdk::Appliance> appliance)
    : name_(std::move(name)), tap_(std::move(tap)), appliance_(std::move(appliance)) {}

std::span<const StandingAppliance::Reply> StandingAppliance::answer(std::span<uint8_t> datagram,
                                                                    int64_t time_us) {
  replies_.clear();
  if (tap_) tap_->forget();
  sdk::answer_datagram(datagram, time_us, *appliance_, *this, counters_);
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

void StandingAppliance::returned(std::span<const uint8_t> datagram) {
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
