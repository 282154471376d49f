// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/splice_commands.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "gateway/cli/asking.h"
#include "gateway/cli/client.h"
#include "gateway/control/splice.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

constexpr size_t kAttachmentNameMax = 32;

struct Words {
  std::string netns, device, socket, config, load_balancer, gateway_netns;
  uint64_t endpoint_id = 0;
};

// "client-eth0": the same for insert and remove.
std::string attachment_name(const Words& words) {
  std::string name = std::filesystem::path(words.netns).filename().string() + "-" + words.device;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '-';
  return name.substr(0, kAttachmentNameMax);
}

// An endpoint id that is the same each time: FNV-1a of namespace and device.
uint64_t default_endpoint_id(const Words& words) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : words.netns + "/" + words.device) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

// The device must end up where the daemon can see it.
Result<> check_namespace(const std::string& socket, const std::string& gateway_netns) {
  SLUICE_TRY(const json reply, ask_daemon(socket, {{"command", "version"}}));
  std::string file = gateway_netns.empty() ? "/proc/self/ns/net" : gateway_netns;
  if (file.find('/') == std::string::npos) file = "/run/netns/" + file;
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0)
    return fail_errno("there is no such network namespace", file);
  if (reply.value("network_namespace", uint64_t{0}) == status.st_ino) return {};
  return fail(
      "the gateway runs in another network namespace; run this inside of it "
      "(ip netns exec NAME sluice insert ...) or name it with --gateway-netns");
}

Result<> insert(const Words& words) {
  SLUICE_TRY(const std::string socket, find_socket(words.socket, words.config));
  SLUICE_TRY_VOID(check_namespace(socket, words.gateway_netns));
  SpliceOptions options;
  options.gateway_namespace = words.gateway_netns;
  SLUICE_TRY(const Splice splice, insert_splice(words.netns, words.device, options));

  json request{
      {"command", "attach"},
      {"name", attachment_name(words)},
      {"endpoint_id", words.endpoint_id != 0 ? words.endpoint_id : default_endpoint_id(words)},
      {"outside", splice.outside},
      {"inside", splice.inside}};
  if (!words.load_balancer.empty()) request["load_balancer"] = words.load_balancer;
  const auto attached = ask_daemon(socket, request);
  if (attached) {
    std::printf("%s of %s passes the gateway now: outside %s, inside %s\n", words.device.c_str(),
                words.netns.c_str(), splice.outside.c_str(), splice.inside.c_str());
    if (!attached->value("stored", true))
      std::printf("note: sluiced has no store (gateway.store) and forgets this when it ends\n");
    return {};
  }
  Error error = attached.error();
  if (auto undone = remove_splice(words.netns, words.device); !undone)
    error.what += "; and it could not be undone: " + undone.error().text();
  else
    error.what += "; everything is as it was";
  return tl::make_unexpected(std::move(error));
}

// A daemon that is gone or knows nothing of it is no reason to stay spliced.
Result<> remove(const Words& words) {
  const auto socket = find_socket(words.socket, words.config);
  if (socket) {
    const auto detached =
        ask_daemon(*socket, {{"command", "detach"}, {"name", attachment_name(words)}});
    if (!detached) std::fprintf(stderr, "sluice: note: %s\n", detached.error().text().c_str());
  }
  SLUICE_TRY_VOID(remove_splice(words.netns, words.device));
  std::printf("%s of %s is as it was\n", words.device.c_str(), words.netns.c_str());
  return {};
}

void add(CLI::App& app, const char* name, const char* help, Result<> (*run)(const Words&)) {
  CLI::App* command = app.add_subcommand(name, help);
  auto words = std::make_shared<Words>();
  command->add_option("netns", words->netns, "network namespace, by name or file")->required();
  command->add_option("device", words->device, "its interface")->required();
  command->add_option("--socket", words->socket, "the gateway's unix socket");
  command->add_option("--config", words->config, "a configuration file that names the socket");
  if (run == insert) {
    command->add_option("--load-balancer", words->load_balancer,
                        "type gateway; the only one by default");
    command->add_option("--endpoint-id", words->endpoint_id,
                        "in every GENEVE header; from the names by default");
    command->add_option("--gateway-netns", words->gateway_netns, "where sluiced runs, if not here");
  }
  command->callback([=] {
    if (auto result = run(*words); !result) give_up(result.error());
  });
}

}  // namespace

void add_splice_commands(CLI::App& app) {
  add(app, "insert", "put the gateway into the path of a namespace's interface", insert);
  add(app, "remove", "take it out again and restore what was there", remove);
}

}  // namespace sluice::gateway
