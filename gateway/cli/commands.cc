// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/commands.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "gateway/cli/asking.h"
#include "gateway/cli/client.h"
#include "gateway/cli/print.h"
#include "gateway/cli/splice_commands.h"
#include "gateway/cli/state_commands.h"
#include "gateway/cli/watch_commands.h"
#include "gateway/control/config.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

void add_targets(CLI::App& app) {
  CLI::App* targets = app.add_subcommand("targets", "register, deregister and describe targets");
  targets->require_subcommand(1);

  CLI::App* health = targets->add_subcommand("health", "what the health checks say");
  auto describe = std::make_shared<Asking>();
  auto group = std::make_shared<std::string>();
  describe->add_options(*health);
  health->add_option("group", *group, "only this target group");
  health->callback([=] {
    describe->request = {{"command", "targets"}};
    if (!group->empty()) describe->request["target_group"] = *group;
    describe->ask(print_targets);
  });

  for (const std::string word : {"register", "deregister"}) {
    CLI::App* command = targets->add_subcommand(
        word, word == "register" ? "add a target to a group until the configuration is read again"
                                 : "let a target go: no new flows, and the rest after 300 s");
    auto asking = std::make_shared<Asking>();
    auto name = std::make_shared<std::string>();
    auto target = std::make_shared<std::string>();
    asking->add_options(*command);
    command->add_option("group", *name, "target group")->required();
    command->add_option("target", *target, "ADDRESS or ADDRESS:PORT")->required();
    command->callback([=] {
      const Endpoint endpoint = or_give_up(parse_endpoint(*target));
      asking->request = {
          {"command", word}, {"target_group", *name}, {"id", endpoint.address.text()}};
      if (endpoint.port != 0) asking->request["port"] = endpoint.port;
      asking->ask([](const json&) { return ""; });
    });
  }
}

void add_flows(CLI::App& app) {
  CLI::App* command = app.add_subcommand("flows", "flows in the table");
  auto asking = std::make_shared<Asking>();
  struct Filter {
    std::string address, protocol, target;
    uint16_t port = 0;
    uint64_t limit = 100;
    bool all = false;
  };
  auto filter = std::make_shared<Filter>();
  asking->add_options(*command);
  command->add_option("--address", filter->address, "of either end");
  command->add_option("--port", filter->port, "of either end");
  command->add_option("--protocol", filter->protocol, "tcp, udp, icmp, icmpv6 or a number");
  command->add_option("--target", filter->target, "only those of this appliance");
  command->add_option("--limit", filter->limit, "show at most so many")
      ->check(CLI::Range(1, 10000));
  command->add_flag("--all", filter->all, "also those that have idled out");
  command->callback([=] {
    asking->request = {{"command", "flows"}, {"limit", filter->limit}, {"all", filter->all}};
    for (const auto& [name, value] : {std::pair{"address", filter->address},
                                      {"protocol", filter->protocol},
                                      {"target", filter->target}})
      if (!value.empty()) asking->request[name] = value;
    if (filter->port != 0) asking->request["port"] = filter->port;
    asking->ask(print_flows);
  });
}

void add_explain(CLI::App& app) {
  CLI::App* command = app.add_subcommand("explain", "where a packet would go, and why");
  auto asking = std::make_shared<Asking>();
  struct Words {
    std::string protocol, source, destination, attachment;
    bool from_inside = false;
  };
  auto words = std::make_shared<Words>();
  asking->add_options(*command);
  command->add_option("protocol", words->protocol, "tcp, udp, icmp, icmpv6 or a number")
      ->required();
  command->add_option("source", words->source, "ADDRESS:PORT")->required();
  command->add_option("destination", words->destination, "ADDRESS:PORT")->required();
  command->add_option("--attachment", words->attachment, "where it comes in, if there are several");
  command->add_flag("--from-inside", words->from_inside, "it comes from the inside");
  command->callback([=] {
    const Endpoint source = or_give_up(parse_endpoint(words->source));
    const Endpoint destination = or_give_up(parse_endpoint(words->destination));
    asking->request = {{"command", "explain"},
                       {"protocol", words->protocol},
                       {"source", source.address.text()},
                       {"source_port", source.port},
                       {"destination", destination.address.text()},
                       {"destination_port", destination.port},
                       {"from_inside", words->from_inside}};
    if (!words->attachment.empty()) asking->request["attachment"] = words->attachment;
    asking->ask(print_explanation);
  });
}

void add_policy(CLI::App& app) {
  CLI::App* command = app.add_subcommand("policy", "the rules about flows, and what they counted");
  auto asking = std::make_shared<Asking>();
  asking->add_options(*command);
  command->callback([=] {
    asking->request = {{"command", "policy"}};
    asking->ask(print_policy);
  });
}

void add_attachments(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("attachments", "where packets come in, and at which entry");
  auto asking = std::make_shared<Asking>();
  asking->add_options(*command);
  command->callback([=] {
    asking->request = {{"command", "attachments"}};
    asking->ask(print_attachments);
  });
}

void add_counters(CLI::App& app) {
  CLI::App* command = app.add_subcommand("counters", "verdicts, events and drops by reason");
  auto asking = std::make_shared<Asking>();
  auto zeros = std::make_shared<bool>(false);
  asking->add_options(*command);
  command->add_flag("--zeros", *zeros, "also those that are zero");
  command->callback([=] {
    asking->request = {{"command", "counters"}};
    asking->ask([&](const json& reply) { return print_counters(reply, *zeros); });
  });
}

void add_stat(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("stat", "listeners, targets and groups as HAProxy's `show stat` has them");
  auto asking = std::make_shared<Asking>();
  asking->add_options(*command);
  command->callback([=] {
    asking->request = {{"command", "stat"}};
    asking->ask([](const json& reply) { return reply.value("csv", ""); });
  });
}

void add_validate(CLI::App& app) {
  CLI::App* command = app.add_subcommand("validate", "read a configuration and name every error");
  auto file = std::make_shared<std::string>();
  command->add_option("file", *file, "the YAML file")->required();
  command->callback([=] {
    const auto config = read_config(*file);
    if (config) {
      std::printf("%s: valid\n", file->c_str());
      return;
    }
    for (const Error& error : config.error()) std::fprintf(stderr, "%s\n", error.text().c_str());
    throw CLI::RuntimeError(1);
  });
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text) {
  std::string host = text, port;
  const size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == std::string::npos) return fail("'" + text + "' has no closing bracket");
    host = text.substr(1, bracket - 1);
    if (bracket + 1 < text.size()) {
      if (text[bracket + 1] != ':') return fail("'" + text + "' is no [ADDRESS]:PORT");
      port = text.substr(bracket + 2);
      if (port.empty()) return fail("'" + text + "' has no port");
    }
  } else if (colon != std::string::npos && text.find(':') == colon) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) return fail("'" + text + "' has no port");
  }
  Endpoint out;
  SLUICE_TRY(out.address, parse_ip_address(host));
  if (port.empty()) return out;
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || stop != port.data() + port.size() || out.port == 0)
    return fail("'" + port + "' is no port");
  return out;
}

void add_gateway_commands(CLI::App& app) {
  add_targets(app);
  add_attachments(app);
  add_flows(app);
  add_policy(app);
  add_explain(app);
  add_watch_commands(app);
  add_counters(app);
  add_stat(app);
  add_validate(app);
  add_state_commands(app);
  add_splice_commands(app);
}

}  // namespace sluice::gateway
