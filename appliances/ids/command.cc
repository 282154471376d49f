// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/command.h"

#include <CLI/CLI.hpp>

#include "appliances/sdk/command_line.h"

namespace sluice::ids {
namespace {

void add_rule_options(CLI::App& app, IdsCommand& command) {
  app.add_option("-S,--rules", command.ids.rules.rule_files,
                 "file of Suricata rules; may be given more than once");
  app.add_option("--classification", command.ids.rules.classification_file,
                 "file of `config classification:` lines, on top of the built-in ones");
  app.add_option("--cache-dir", command.ids.rules.cache_directory,
                 "directory of compiled databases, for the next start; nobody else may write it");
  app.add_option_function<std::vector<std::string>>(
         "--var",
         [&command](const std::vector<std::string>& assignments) {
           for (const std::string& assignment : assignments) {
             const auto set = inspect::set_variable(command.ids.rules.variables, assignment);
             if (!set) throw CLI::ValidationError("--var", set.error().text());
           }
         },
         "NAME=VALUE of a variable that rules use, e.g. HOME_NET=[10.0.0.0/8]; may be given more "
         "than once")
      ->type_name("NAME=VALUE");
}

// A setting by Suricata's name. What it may be here is what it is anyway; any other value is
// refused, so that nobody relies on it.
struct Setting {
  std::string_view name;
  std::string_view value;
};

constexpr Setting kSettings[] = {
    {"stream.inline", "true"},
    {"stream.midstream", "true"},
    {"stream.inline", "yes"},
    {"stream.midstream", "yes"},
    {"stream.inline", "auto"},
    {"app-layer.protocols.http2.enabled", "true"},
    {"app-layer.protocols.http.libhtp.default-config.response-body-decompress-layer-limit", "3"},
};

std::string check_setting(const std::string& text) {
  const std::string name = text.substr(0, text.find('='));
  for (const Setting& setting : kSettings) {
    if (text == std::string(setting.name) + "=" + std::string(setting.value)) return {};
  }
  return "'" + text + "' is not supported";
}

// As Suricata spells them.
void add_suricata_options(CLI::App& app, IdsCommand& command) {
  app.add_option("-k", command.checksums, "checksums: none, they are not verified")
      ->check(CLI::IsMember({"none"}));
  app.add_flag("--simulate-ips", command.simulate_ips,
               "a capture is read as if inline, which is how it is always read");
  app.add_option("--runmode", command.runmode, "single: one thread reads a capture, as always")
      ->check(CLI::IsMember({"single"}));
  app.add_option("--set", command.settings,
                 "a setting by Suricata's name; see docs/features/ids.md")
      ->check(CLI::Validator(check_setting, "NAME=VALUE"));
}

}  // namespace

void add_options(CLI::App& app, IdsCommand& command) {
  add_rule_options(app, command);
  app.add_option("--eve", command.eve_file,
                 "file to append EVE JSON events to; - is standard output")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--events",
         [&command](const std::string& list) {
           const auto types = inspect::EventTypes::parse(list);
           if (!types) throw CLI::ValidationError("--events", types.error().text());
           command.ids.inspection.events = *types;
         },
         "events to write: all (as without this), none, or some of alert,drop,flow,fileinfo,stats,"
         "http,dns,tls,ssh,smtp,ftp")
      ->type_name("LIST");
  app.add_option("-l", command.log_directory, "directory of eve.json, instead of --eve");
  app.add_option("-r", command.capture_file,
                 "read this pcap or pcapng file instead of the network, and end");
  app.add_option("--flows-max", command.ids.inspection.flows.flows_max,
                 "flows known at once, per worker")
      ->capture_default_str()
      ->check(CLI::Range(1u, inspect::kFlowsMaxLimit));
  app.add_option("--stream-memory", command.ids.inspection.stream_memory_max,
                 "bytes that TCP streams may hold, per worker")
      ->capture_default_str()
      ->check(CLI::Range(size_t{1} << 20, size_t{1} << 40));
  add_suricata_options(app, command);
  sdk::add_options(app, command.runner);

  CLI::App* rules =
      app.add_subcommand("rules", "say which rules load, and why others do not; then end");
  rules->parse_complete_callback([&command] { command.list_rules = true; });
  rules->add_flag("--failed", command.only_failed, "only the refused ones");
  add_rule_options(*rules, command);
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
