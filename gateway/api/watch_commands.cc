// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/watch_commands.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "gateway/api/capture_source.h"
#include "gateway/api/fields.h"
#include "gateway/api/sighting_text.h"
#include "gateway/api/watch_source.h"
#include "gateway/control/control_plane.h"
#include "gateway/control/protocol_text.h"
#include "gateway/datapath/flow_table.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint32_t kAllStages = (1u << kSeenStages) - 1;

watch everything() { return {0, {}, kAllStages, 0, kNone16, 0, kWatchAnyProtocol, 0, 0}; }

// "2026-11-21T06:31:01.250112Z"
std::string time_text(int64_t unix_ns) {
  const std::string ms = event_time(unix_ns / 1'000'000);
  const std::string us = std::to_string(1000 + unix_ns / 1000 % 1000).substr(1);
  return ms.substr(0, ms.size() - 1) + us + "Z";
}

class TraceSource final : public WatchSource {
 public:
  // `forward`: the direction of packets from the end that was named first.
  TraceSource(ControlPlane& plane, uint64_t count, uint32_t forward)
      : WatchSource(plane, count), forward_(forward) {}

 private:
  std::string text(const sighting& seen, std::span<const uint8_t> bytes, uint64_t lost) override {
    ordered_json out{{"time", time_text(unix_ns(seen.time_ns))},
                     {"direction", seen.direction == forward_ ? "forward" : "back"}};
    out.update(describe_sighting(controller(), seen, bytes));
    return tail(lost) + out.dump() + "\n";
  }
  std::string tail(uint64_t lost) override {
    return lost != 0 ? json{{"lost", lost}}.dump() + "\n" : "";
  }

  uint32_t forward_;
};

bool has_flow(const Fields& fields) { return fields.has("source") || fields.has("destination"); }

// The flow that is named by `protocol` and its two ends.
Result<flow_query> read_flow(const Tables& tables, Fields& fields) {
  SLUICE_TRY(const auto protocol, parse_protocol(fields.string("protocol", "tcp")));
  const auto source = fields.address("source"), destination = fields.address("destination");
  struct tuple tuple {};
  tuple.source_port = swap_be16(static_cast<uint16_t>(fields.number("source_port", 65535)));
  tuple.destination_port =
      swap_be16(static_cast<uint16_t>(fields.number("destination_port", 65535)));
  if (!source || !destination) {
    SLUICE_TRY_VOID(fields.finish());
    return fail("'source' and 'destination' are needed");
  }
  if (source->version != destination->version)
    return fail("'source' and 'destination' are of different families");
  std::memcpy(tuple.source, source->words, sizeof(tuple.source));
  std::memcpy(tuple.destination, destination->words, sizeof(tuple.destination));
  tuple.protocol = protocol.value_or(kProtocolTcp);
  tuple.version = source->version;
  flow_query query{};
  flow_query_from_tuple(&query, tables.settings, &tuple, kNone16, 0);
  return query;
}

Result<uint16_t> find_attachment(const Controller& controller, const std::string& name) {
  for (uint16_t i = 0; i < kAttachmentsMax; i++)
    if (controller.reconciler().attachment_name(i) == name) return i;
  return fail("there is no attachment '" + name + "'");
}

// What fits packets of many flows.
Result<> read_filter(const Controller& controller, Fields& fields, watch& out) {
  SLUICE_TRY(const auto protocol, parse_protocol(fields.string("protocol")));
  if (protocol) out.protocol = *protocol;
  out.port = swap_be16(static_cast<uint16_t>(fields.number("port", 65535)));
  if (const auto address = fields.address("address")) {
    out.version = address->version;
    std::memcpy(out.address, address->words, sizeof(out.address));
  }
  if (const std::string name = fields.string("attachment"); !name.empty()) {
    SLUICE_TRY(out.attachment, find_attachment(controller, name));
  }
  return {};
}

Result<uint32_t> read_stages(Fields& fields) {
  uint32_t out = 0;
  for (const std::string& name : fields.strings("stages")) {
    uint8_t stage = 0;
    while (stage < kSeenStages && stage_name(stage) != name) stage++;
    if (stage == kSeenStages) return fail("there is no stage '" + name + "'");
    out |= 1u << stage;
  }
  return out != 0 ? out : kAllStages;
}

}  // namespace

Result<std::unique_ptr<StreamSource>> start_trace(ControlPlane& plane, Fields& fields) {
  const Tables& tables = std::as_const(plane).controller().tables();
  SLUICE_TRY(const flow_query flow, read_flow(tables, fields));
  const uint64_t count = fields.number("count", UINT64_MAX);
  SLUICE_TRY_VOID(fields.finish());
  watch wanted = everything();
  wanted.hash = flow.hash;
  wanted.bytes = kSightingTextBytes;
  auto trace = std::make_unique<TraceSource>(plane, count, flow.direction);
  SLUICE_TRY_VOID(trace->look(wanted));
  return std::unique_ptr<StreamSource>(std::move(trace));
}

Result<std::unique_ptr<StreamSource>> start_capture(ControlPlane& plane, Fields& fields) {
  const Controller& controller = std::as_const(plane).controller();
  watch wanted = everything();
  if (has_flow(fields)) {
    SLUICE_TRY(const flow_query flow, read_flow(controller.tables(), fields));
    wanted.hash = flow.hash;
  } else {
    SLUICE_TRY_VOID(read_filter(controller, fields, wanted));
  }
  SLUICE_TRY(wanted.stages, read_stages(fields));
  const auto bytes = static_cast<uint32_t>(fields.number("bytes", kWatchBytesMax, kWatchBytesMax));
  const uint64_t count = fields.number("count", UINT64_MAX);
  SLUICE_TRY_VOID(fields.finish());
  wanted.bytes = std::max(bytes, kSightingTextBytes);
  auto capture = std::make_unique<CaptureSource>(plane, count, bytes);
  SLUICE_TRY_VOID(capture->look(wanted));
  return std::unique_ptr<StreamSource>(std::move(capture));
}

}  // namespace sluice::gateway
