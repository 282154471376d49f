// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/command.h"

#include <CLI/CLI.hpp>

#include "appliances/ids/build_info.h"
#include "appliances/ids/limit_settings.h"
#include "appliances/ids/settings.h"
#include "appliances/ids/settings_files.h"
#include "appliances/sdk/command_line.h"
#include "appliances/sdk/eve_program.h"

namespace sluice::ids {
namespace {

// For an option of CLI11, which wants an exception.
void check(const char* option, const Result<>& result) {
  if (!result) throw CLI::ValidationError(option, result.error().text());
}

// What the file says, with what --set says in its place.
Result<> take_settings(const std::string& file, const std::vector<std::string>& assignments,
                       IdsCommand& command) {
  Settings settings;
  if (!file.empty()) {
    SLUICE_TRY(settings, read_settings(file));
  }
  for (const std::string& assignment : assignments) SLUICE_TRY_VOID(settings.set(assignment));
  SLUICE_TRY(command.without_effect, apply_settings(settings, command.ids));
  return {};
}

void check_settings(const Result<>& taken) {
  const bool of_set = !taken && taken.error().where == kSetOption;
  check(of_set ? "--set" : "-c", of_set ? fail(taken.error().what) : taken);
}

// Both together, by whichever of them is there.
void add_settings_options(CLI::App& app, IdsCommand& command) {
  CLI::Option* const config =
      app.add_option_function<std::string>(
             "-c",
             [&app, &command](const std::string& file) {
               check_settings(take_settings(file, app.get_option("--set")->results(), command));
             },
             "a suricata.yaml: what is understood is taken, of the rest it is said why not; see "
             "docs/features/ids.md")
          ->type_name("FILE");
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [config, &command](const std::vector<std::string>& assignments) {
           if (config->count() == 0) check_settings(take_settings("", assignments, command));
         },
         "a setting by Suricata's name, in the place of what -c says of it; what is not "
         "understood is refused")
      ->type_name("NAME=VALUE");
}

using Files = std::vector<std::string>;

// A pattern that fits nothing stands for itself: it is said that it cannot be read.
void add_rule_files(const Files& patterns, Files& out) {
  for (const std::string& pattern : patterns) {
    const Files files = files_of(pattern);
    if (files.empty()) out.push_back(pattern);
    out.insert(out.end(), files.begin(), files.end());
  }
}

void add_rule_file_options(CLI::App& app, Files& rule_files) {
  CLI::Option* const exclusive =
      app.add_option_function<Files>(
             "-S,--rules",
             [&rule_files](const Files& patterns) {
               rule_files.clear();
               add_rule_files(patterns, rule_files);
             },
             "file of Suricata rules, or a pattern ('rules/*.rules'), instead of those that -c "
             "names; may be given more than once")
          ->type_name("FILE");
  app.add_option_function<Files>(
         "-s", [&rule_files](const Files& patterns) { add_rule_files(patterns, rule_files); },
         "the same, beside those that -c names")
      ->type_name("FILE")
      ->excludes(exclusive);
}

void add_rule_options(CLI::App& app, IdsCommand& command) {
  // First, so that what else the command line says is said later, and counts.
  add_settings_options(app, command);
  add_rule_file_options(app, command.ids.rules.rule_files);
  app.add_option("--classification", command.ids.rules.classification_file,
                 "file of `config classification:` lines, on top of the built-in ones");
  app.add_option("--threshold-file", command.ids.rules.threshold_file,
                 "a threshold.config: how often rules speak, on top of what they say");
  app.add_option_function<std::string>(
         "--rule-order",
         [&command](const std::string& text) {
           auto order = inspect::parse_rule_order(text);
           if (!order) throw CLI::ValidationError("--rule-order", order.error().text());
           command.ids.rules.order = *order;
         },
         "which rule wins: action (pass, drop, reject, alert, then priority), strict (priority, "
         "then as written), or another order of the four actions")
      ->type_name("ORDER");
  app.add_option(
      "--data-dir", command.ids.rules.data_directory,
      "directory of the files that datasets in rules name; without it they may name none");
  app.add_option("--reputation-categories", command.ids.rules.reputation.categories_file,
                 "file of categories for iprep: number,short name,description");
  app.add_option("--reputation", command.ids.rules.reputation.files,
                 "file of scores for iprep: address or prefix,number,score; may be given more than "
                 "once");
  app.add_option("--cache-dir", command.ids.rules.cache_directory,
                 "directory of compiled databases, for the next start; nobody else may write it");
  app.add_option_function<std::vector<std::string>>(
         "--var",
         [&command](const std::vector<std::string>& assignments) {
           for (const std::string& assignment : assignments)
             check("--var", inspect::set_variable(command.ids.rules.variables, assignment));
         },
         "NAME=VALUE of a variable that rules use, e.g. HOME_NET=[10.0.0.0/8]; may be given more "
         "than once")
      ->type_name("NAME=VALUE");
}

void add_version_options(CLI::App& app) {
  app.set_version_flag("-V,--version", std::string(version()));
  app.add_flag_callback(
      "--build-info", [] { throw CLI::CallForVersion(build_info(), 0); },
      "versions of the libraries that it runs with, and end");
}

// As Suricata spells them.
void add_suricata_options(CLI::App& app, IdsCommand& command) {
  app.add_option_function<std::string>(
         "-k",
         [&command](const std::string& which) {
           command.ids.inspection.verify_checksums = which == "all";
         },
         "checksums of TCP segments: all, a segment with a wrong one is dropped (as without this); "
         "none, they are not verified")
      ->check(CLI::IsMember({"all", "none"}));
  app.add_flag("--simulate-ips", command.simulate_ips,
               "a capture is read as if inline, which is how it is always read");
  app.add_option("--runmode", command.runmode, "single: one thread reads a capture, as always")
      ->check(CLI::IsMember({"single"}));
}

}  // namespace

inspect::LogFile IdsCommand::eve() const {
  const inspect::LogFile& named = ids.eve;
  if (log_directory.empty()) return {eve_file, named.rotation};
  // As in Suricata, a whole path stays as it is.
  const bool whole = named.path.starts_with('/');
  return {whole ? named.path : log_directory + "/" + named.path, named.rotation};
}

void add_options(CLI::App& app, IdsCommand& command) {
  add_rule_options(app, command);
  sdk::add_eve_options(app, command.eve_file, command.ids.eve.rotation,
                       command.ids.inspection.events.sensor_name);
  app.add_option_function<std::string>(
         "--events",
         [&command](const std::string& list) {
           check("--events", choose_events(list, command.ids));
         },
         "events to write: all (as without this), none, or some of alert,drop,flow,fileinfo,stats,"
         "http,dns,tls,ssh,smtp,ftp,anomaly")
      ->type_name("LIST");
  app.add_option_function<std::vector<std::string>>(
         "--exception",
         [&command](const std::vector<std::string>& policies) {
           for (const std::string& policy : policies)
             check("--exception", choose_policy(policy, command.ids));
         },
         "what becomes of packets that cannot be inspected as they should be: CAUSE is midstream, "
         "stream-memcap, session-memcap, flow-memcap, defrag-memcap, app-error, app-memcap or "
         "overload; POLICY is ignore, pass-packet, pass-flow, drop-packet, drop-flow or reject")
      ->type_name("CAUSE=POLICY");
  app.add_option_function<std::string>(
         "--default-action",
         [&command](const std::string& name) {
           const auto action = inspect::find_default_action(name);
           if (!action) throw CLI::ValidationError("--default-action", "not one of the three");
           command.ids.inspection.default_action = *action;
         },
         "what becomes of packets about which no rule decides: pass, drop, or drop-established, "
         "which lets handshakes and what rules need to decide pass")
      ->type_name("ACTION");
  app.add_option("-l", command.log_directory,
                 "directory of eve.json, or of what -c calls it, instead of --eve")
      ->excludes(app.get_option("--eve"));
  CLI::Option* const capture = app.add_option(
      "-r", command.capture_file,
      "read this pcap or pcapng file instead of the network, and end; of a directory "
      "all files, in the order of their names");
  app.add_flag("-T", command.test,
               "read configuration and rules, say what is refused, and end: with 1 if anything is")
      ->excludes(capture);
  add_version_options(app);
  app.add_option("--flows-max", command.ids.inspection.flows.flows_max,
                 "flows known at once, per worker")
      ->capture_default_str()
      ->check(CLI::Range(1u, inspect::kFlowsMaxLimit));
  app.add_option("--stream-memory", command.ids.inspection.stream_memory_max,
                 "bytes that TCP streams may hold, per worker")
      ->capture_default_str()
      ->check(CLI::Range(size_t{1} << 20, size_t{1} << 40));
  app.add_option("--latency-max", command.ids.inspection.latency.max_us,
                 "microseconds after which a packet meets no more rules; a rule that takes so long "
                 "itself five times is suspended for 30 s; 0: no limit; not over a capture")
      ->capture_default_str()
      ->check(CLI::Range(0u, inspect::kLatencyMaxUs));
  add_suricata_options(app, command);
  sdk::add_options(app, command.runner);

  CLI::App* rules =
      app.add_subcommand("rules", "say which rules load, and why others do not; then end");
  rules->parse_complete_callback([&command] { command.list_rules = true; });
  rules->add_flag("--failed", command.only_failed, "only the refused ones");
  rules->add_option("--profile", command.profile_capture,
                    "a capture: what the rules cost over it, the dearest first");
  add_rule_options(*rules, command);
}

void prepare(IdsCommand& command) {
  inspect::InspectorOptions& inspection = command.ids.inspection;
  command.runner.stamps = command.is_live();
  if (command.log_directory.empty() && command.ids.eve.path != kEveFileName)
    command.without_effect.push_back(
        "outputs.eve-log.filename: it is one in a directory: say -l DIR");
  if (command.is_live()) {
    inspection.flows.key = inspect::random_flow_key();
  } else {  // the same happens each time, and "stats" come when it is over
    inspection.latency.max_us = 0;
    command.ids.stats.interval_us = 0;
  }
}

Result<IdsCommand> parse_arguments(std::span<const std::string> arguments) {
  CLI::App app;
  app.set_help_flag();
  IdsCommand command;
  add_options(app, command);
  // CLI11 takes a vector from its back.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return fail(error.what(), "sluice-ids");
  }
  return command;
}

}  // namespace sluice::ids
