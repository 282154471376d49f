// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/watch_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "gateway/cli/asking.h"
#include "gateway/cli/client.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/print.h"
#include "tunnels/pcapng.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

struct Tuple {
  std::string protocol, source, destination;
};

json tuple_fields(const Tuple& tuple) {
  const Endpoint source = or_give_up(parse_endpoint(tuple.source));
  const Endpoint destination = or_give_up(parse_endpoint(tuple.destination));
  return {{"protocol", tuple.protocol},
          {"source", source.address.text()},
          {"source_port", source.port},
          {"destination", destination.address.text()},
          {"destination_port", destination.port}};
}

void print_trace(const std::string& line, bool as_json) {
  const json parsed = json::parse(line, nullptr, false);
  std::fputs((as_json || !parsed.is_object() ? line + "\n" : print_sighting(parsed)).c_str(),
             stdout);
  std::fflush(stdout);
}

void trace(const Asking& asking, const Tuple& tuple, uint64_t count, uint64_t seconds) {
  json request = tuple_fields(tuple);
  request["command"] = "trace";
  request["count"] = count;
  std::string rest;  // of a line that is not whole yet
  const auto follow = [&](std::string_view bytes) -> Result<> {
    rest += bytes;
    for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
      print_trace(rest.substr(0, end), asking.as_json);
      rest.erase(0, end + 1);
    }
    return {};
  };
  const std::string socket = or_give_up(find_socket(asking.socket, asking.config));
  or_give_up(follow_daemon(socket, request, follow, seconds));
}

struct Capture {
  std::string socket, config, file, address, protocol, attachment;
  std::vector<std::string> flow, stages;
  uint64_t count = 0, seconds = 0;
  uint32_t bytes = 0;
  uint16_t port = 0;
};

json capture_request(const Capture& wanted) {
  json out = json::object();
  if (!wanted.flow.empty()) out = tuple_fields({wanted.flow[0], wanted.flow[1], wanted.flow[2]});
  out["command"] = "capture";
  for (const auto& [name, value] : {std::pair{"address", wanted.address},
                                    {"protocol", wanted.protocol},
                                    {"attachment", wanted.attachment}})
    if (!value.empty()) out[name] = value;
  if (wanted.port != 0) out["port"] = wanted.port;
  if (wanted.bytes != 0) out["bytes"] = wanted.bytes;
  if (wanted.count != 0) out["count"] = wanted.count;
  if (!wanted.stages.empty()) out["stages"] = wanted.stages;
  return out;
}

// Whole blocks only, so that the file can be read however this ends.
void capture(const Capture& wanted) {
  const std::string socket = or_give_up(find_socket(wanted.socket, wanted.config));
  std::FILE* file = nullptr;
  tunnels::PcapngBlocks blocks;
  // The file is made when there is something to write: a refusal leaves the one that is there.
  const auto write = [&](std::string_view bytes) -> Result<> {
    if (!file) file = wanted.file == "-" ? stdout : std::fopen(wanted.file.c_str(), "wb");
    if (!file) return fail_errno("cannot make the file", wanted.file);
    SLUICE_TRY_VOID(blocks.read(
        bytes, [&](std::string_view block) { std::fwrite(block.data(), 1, block.size(), file); }));
    if (std::fflush(file) != 0 || std::ferror(file)) return fail_errno("cannot write", wanted.file);
    return {};
  };
  const auto done = follow_daemon(socket, capture_request(wanted), write, wanted.seconds);
  if (file && file != stdout) std::fclose(file);
  or_give_up(done);
  std::fprintf(stderr, "%llu packets, %llu lost\n",
               static_cast<unsigned long long>(blocks.packets()),
               static_cast<unsigned long long>(blocks.lost()));
}

void add_capture(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("capture", "packets at a stage of their way, as a pcapng file");
  auto wanted = std::make_shared<Capture>();
  command->add_option("--socket", wanted->socket, "the gateway's unix socket");
  command->add_option("--config", wanted->config, "a configuration file that names the socket");
  command->add_option("-w,--write", wanted->file, "the file; - is standard output")->required();
  command->add_option("--stage", wanted->stages, "in, encapsulated, returned, delivered, ...");
  CLI::Option* flow =
      command->add_option("--flow", wanted->flow, "PROTOCOL ADDRESS:PORT ADDRESS:PORT");
  flow->expected(3);
  for (CLI::Option* other :
       {command->add_option("--address", wanted->address, "of either end"),
        command->add_option("--port", wanted->port, "of either end"),
        command->add_option("--protocol", wanted->protocol, "tcp, udp, icmp, icmpv6 or a number"),
        command->add_option("--attachment", wanted->attachment, "where it came in")})
    other->excludes(flow);
  command->add_option("--bytes", wanted->bytes, "of each frame, at most")
      ->check(CLI::Range(1, 9216));
  command->add_option("--count", wanted->count, "end after so many packets");
  command->add_option("--seconds", wanted->seconds, "end after so long")
      ->check(CLI::Range(1, 86400));
  command->callback([=] { capture(*wanted); });
}

}  // namespace

void add_watch_commands(CLI::App& app) {
  add_capture(app);
  CLI::App* command = app.add_subcommand("trace", "follow one flow, packet by packet");
  auto asking = std::make_shared<Asking>();
  auto tuple = std::make_shared<Tuple>();
  auto count = std::make_shared<uint64_t>(0);
  auto seconds = std::make_shared<uint64_t>(0);
  asking->add_options(*command);
  command->add_option("protocol", tuple->protocol, "tcp, udp, icmp, icmpv6 or a number")
      ->required();
  command->add_option("source", tuple->source, "ADDRESS:PORT")->required();
  command->add_option("destination", tuple->destination, "ADDRESS:PORT")->required();
  command->add_option("--count", *count, "end after so many lines");
  command->add_option("--seconds", *seconds, "end after so long")->check(CLI::Range(1, 86400));
  command->callback([=] { trace(*asking, *tuple, *count, *seconds); });
}

}  // namespace sluice::gateway
