// SPDX-License-Identifier: Apache-2.0
// Packets from the fuzzer through the whole engine: [length 2 bytes][IP packet] repeated. All rule
// kinds are loaded; every event must be valid JSON text on one line, every response a well-formed
// packet.
#include <cstdlib>
#include <memory>

#include "inspect/match/inspector.h"
#include "tunnels/bytes.h"

using namespace sluice::inspect;

namespace {

constexpr const char* kRules = R"(
alert ip any any -> any any (msg:"addresses"; sid:1;)
alert tcp any any -> any any (msg:"stream"; content:"GET"; content:"x"; distance:1; within:40; sid:2;)
alert tcp any any -> any any (content:"a"; startswith; content:!"b"; distance:0; pcre:"/c.{0,5}d/Ri"; sid:3;)
reject tcp any any -> any any (content:"reject"; nocase; sid:4;)
drop udp any any -> any 53 (content:"|00 01|"; offset:2; depth:4; sid:5;)
reject udp any any -> any any (dsize:3; sid:6;)
reject icmp any any -> any any (content:"ping"; endswith; sid:7;)
pass tcp any any -> any any (content:"trusted"; sid:8;)
alert tcp-pkt any any <> any any (pcre:"/(a+)+$/"; sid:9;)
alert tcp any any -> any any (content:!"zzz"; sid:10;)
alert pkthdr any any -> any any (decode-event:ipv4.trunc_pkt; sid:11;)
drop pkthdr any any -> any any (decode-event:tcp.hlen_too_small; sid:12;)
alert ip any any -> any any (decode-event:udp.len_invalid; sid:13;)
drop pkthdr any any -> any any (decode-event:ipv4.pkt_too_small; sid:14;)
drop pkthdr any any -> any any (decode-event:ipv6.pkt_too_small; sid:15;)
drop pkthdr any any -> any any (decode-event:tcp.pkt_too_small; sid:16;)
)";

class CheckingSink final : public Sink {
 public:
  void write(std::string_view line) override {
    if (line.size() < 3 || line.front() != '{' || line.find('\n') != line.size() - 1) std::abort();
    for (size_t i = 0; i < line.size();) {
      const size_t length = utf8_length(line.substr(i));
      if (length == 0) std::abort();
      i += length;
    }
  }
};

std::shared_ptr<const Engine> make_engine() {
  EngineOptions options;
  options.rule_texts = {{"fuzz", kRules}};
  auto engine = Engine::create(options);
  if (!engine || !(*engine)->refused().empty()) std::abort();
  return *engine;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const Engine> engine = make_engine();
  CheckingSink sink;
  InspectorOptions options;
  options.flows.flows_max = 8;
  options.stream = {.window = 256, .held_max = 2048, .depth = 8192};
  options.stream_memory_max = 16384;
  options.verify_checksums = false;
  auto inspector = Inspector::create(engine, options, sink);
  if (!inspector) std::abort();
  Responses responses;
  sluice::tunnels::Reader reader({data, size});
  for (int64_t time_us = 1; reader.remaining() >= 2; time_us += 700'000) {
    const size_t length = reader.be16();
    const auto ip = reader.bytes(std::min(length, reader.remaining()));
    (void)(*inspector)->inspect(ip, time_us, responses);
    for (size_t i = 0; i < responses.count(); i++) {
      if (!view_packet(responses[i])) std::abort();
    }
    (*inspector)->tick(time_us);
  }
  (*inspector)->finish(INT64_MAX);
  return 0;
}
