// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/offline.h"

#include <algorithm>
#include <filesystem>

#include "testbed/replay/appliance_entries.h"

namespace sluice::testbed {

namespace {

constexpr uint16_t kTunnelMtuDefault = kFrameLengthMax;

Result<uint16_t> choose_attachment(const gateway::Config& config, const std::string& name) {
  if (config.attachments.empty())
    return fail("there is no attachment to replay through", config.file);
  for (size_t i = 0; i < config.attachments.size(); i++)
    if (name.empty() || config.attachments[i].name == name) return static_cast<uint16_t>(i);
  return fail("there is no attachment '" + name + "'", config.file);
}

Result<std::unique_ptr<StandingAppliance>> stand_at(const gateway::IpAddress& address,
                                                    const LabEntries& lab,
                                                    const OfflineOptions& options,
                                                    std::vector<std::string>& notes) {
  const auto entry = std::ranges::find(lab.appliances, address, &ApplianceEntry::address);
  if (entry == lab.appliances.end() && !options.pass_by_default)
    return fail(
        "no namespace of the lab section has this address and an appliance; add one, or replay "
        "with --appliance pass",
        "target " + address.text());
  std::string eve_path;
  if (!options.eve_directory.empty())
    eve_path = (std::filesystem::path(options.eve_directory) / (address.text() + ".json")).string();
  return make_standing_appliance(
      entry != lab.appliances.end() ? *entry : ApplianceEntry{address, "sluice-pass", {}}, eve_path,
      notes);
}

Result<StandingAppliances> make_appliances(const gateway::Config& config, const LabEntries& lab,
                                           const OfflineOptions& options,
                                           std::vector<std::string>& notes) {
  if (!options.eve_directory.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.eve_directory, error);
    if (error) return tl::make_unexpected(Error{"cannot make it", options.eve_directory, error});
  }
  const auto steered = gateway::steered_groups(config);
  StandingAppliances out;
  for (const gateway::TargetGroup& group : config.target_groups) {
    if (group.protocol != gateway::Protocol::kGeneve || !steered.contains(group.name)) continue;
    for (const gateway::Target& target : group.targets) {
      auto& place = out[target.address];
      if (place != nullptr) continue;
      SLUICE_TRY(place, stand_at(target.address, lab, options, notes));
    }
  }
  return out;
}

Result<> run_capture(CaptureReader& reader, OfflineReplay& replay, uint64_t frames_max) {
  CapturedFrame frame;
  while (reader.counts().frames < frames_max) {
    SLUICE_TRY(const bool more, reader.next(frame));
    if (!more) break;
    replay.simulation->enter(frame);
  }
  return {};
}

}  // namespace

Result<OfflineReplay> replay_offline(const gateway::Config& config, const OfflineOptions& options) {
  OfflineReplay replay;
  SLUICE_TRY(const uint16_t chosen, choose_attachment(config, options.attachment));
  SLUICE_TRY(const LabEntries lab, read_lab_entries(config.file, config.gateway.tunnel_address));
  SLUICE_TRY(StandingAppliances appliances, make_appliances(config, lab, options, replay.notes));
  SLUICE_TRY(CaptureReader reader, CaptureReader::open(options.capture));
  std::optional<CaptureWriter> writer;
  if (!options.out.empty()) {
    SLUICE_TRY(writer, CaptureWriter::create(options.out));
  }

  SLUICE_TRY(replay.host, gateway::ProcessHost::create({.flows_max = config.gateway.flows_max}));
  replay.reconciler = std::make_unique<gateway::Reconciler>(*replay.host);
  gateway::OfflineWorld world;
  world.tunnel_interface = config.gateway.tunnel_interfaces.at(0);
  world.mtu = lab.tunnel_mtu != 0 ? lab.tunnel_mtu : kTunnelMtuDefault;
  SLUICE_TRY_VOID(replay.reconciler->reconcile(config, world));

  replay.simulation =
      std::make_unique<Simulation>(*replay.host, chosen, options.sides, std::move(appliances),
                                   [&](int64_t time_ns, std::span<const uint8_t> frame) {
                                     if (writer) writer->write(time_ns, frame);
                                   });
  const Result<> read = run_capture(reader, replay, options.frames_max);
  if (!read) replay.capture_error = read.error();
  replay.simulation->finish();
  replay.capture = reader.counts();
  if (writer) SLUICE_TRY_VOID(writer->finish());
  return replay;
}

}  // namespace sluice::testbed
