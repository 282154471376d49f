// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/command.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "gateway/control/config.h"
#include "testbed/replay/live.h"
#include "testbed/replay/offline.h"
#include "testbed/replay/report.h"

namespace sluice::testbed {

namespace {

struct ReplayArguments {
  OfflineOptions offline;
  LiveOptions live;
  std::string config;
  std::string speed = "1";
  bool is_live = false;
  std::string appliance;
  std::vector<std::string> outside;
  std::vector<std::string> inside;
  bool json = false;
};

[[noreturn]] void refuse(const std::vector<Error>& errors) {
  for (const Error& error : errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  throw CLI::RuntimeError(1);
}

std::vector<Prefix> prefixes_of(const std::vector<std::string>& texts) {
  std::vector<Prefix> out;
  for (const std::string& text : texts) {
    const auto prefix = parse_prefix(text);
    if (!prefix) refuse({prefix.error()});
    out.push_back(*prefix);
  }
  return out;
}

void print(const std::string& report) {
  std::fwrite(report.data(), 1, report.size(), stdout);
  if (std::fflush(stdout) != 0)
    refuse({Error{"cannot write the report", "", {errno, std::generic_category()}}});
}

void run_offline(const ReplayArguments& arguments, const gateway::Config& config) {
  const auto replay = replay_offline(config, arguments.offline);
  if (!replay) refuse({replay.error()});
  for (const std::string& note : replay->notes) std::fprintf(stderr, "%s\n", note.c_str());
  print(arguments.json ? report_json(*replay) : report_text(*replay));
  if (replay->capture_error) refuse({*replay->capture_error});
}

void run_live(ReplayArguments& arguments, const gateway::Config& config) {
  const auto speed = parse_speed(arguments.speed);
  if (!speed) refuse({speed.error()});
  arguments.live.speed = *speed;
  arguments.live.capture = arguments.offline.capture;
  arguments.live.attachment = arguments.offline.attachment;
  arguments.live.frames_max = arguments.offline.frames_max;
  arguments.live.sides = arguments.offline.sides;
  const auto report = replay_live(config, arguments.live);
  if (!report) refuse({report.error()});
  print(arguments.json ? live_report_json(*report) : live_report_text(*report));
  if (report->capture_error) refuse({*report->capture_error});
}

void run(ReplayArguments& arguments) {
  const auto config = gateway::read_config(arguments.config);
  if (!config) refuse(config.error());
  arguments.offline.pass_by_default = arguments.appliance == "pass";
  arguments.offline.sides = {prefixes_of(arguments.outside), prefixes_of(arguments.inside)};
  if (arguments.is_live)
    run_live(arguments, *config);
  else
    run_offline(arguments, *config);
}

}  // namespace

void add_replay_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "replay", "Send a capture through the gateway: offline, or through a lab with --live");
  auto arguments = std::make_shared<ReplayArguments>();
  OfflineOptions& offline = arguments->offline;
  command->add_option("--pcap", offline.capture, "capture file, pcap or pcapng; - is stdin")
      ->required();
  command->add_option("--config", arguments->config, "the YAML file")->required();
  command->add_flag("--json", arguments->json, "the report as JSON");
  CLI::Option* out =
      command->add_option("--out", offline.out, "write the delivered frames to this capture file");
  CLI::Option* eve = command->add_option(
      "--eve", offline.eve_directory, "write the appliances' events to this folder, one file each");
  command->add_option("--limit", offline.frames_max, "stop after this many frames");
  command->add_option("--attachment", offline.attachment, "through this one, not the first");
  command->add_option("--outside", arguments->outside, "addresses that are outside: 10.0.0.0/8");
  command->add_option("--inside", arguments->inside, "addresses that are inside");
  CLI::Option* appliance =
      command
          ->add_option("--appliance", arguments->appliance,
                       "what stands at targets that the lab section does not know")
          ->check(CLI::IsMember({"pass"}));
  CLI::Option* live =
      command->add_flag("--live", arguments->is_live,
                        "through the interfaces of the lab that this configuration has built");
  live->excludes(out)->excludes(eve)->excludes(appliance);
  command->add_option("--lab", arguments->live.lab, "another lab's name")->needs(live);
  command->add_option("--speed", arguments->speed, "times the capture's own speed, or max")
      ->capture_default_str()
      ->needs(live);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace sluice::testbed
