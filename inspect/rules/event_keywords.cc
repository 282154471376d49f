// SPDX-License-Identifier: Apache-2.0
// What parsers, streams and decoders notice: app-layer-event, stream-event, decode-event. Suricata
// userguide, "Event Keywords". An event that is never told here refuses its rule.
#include <algorithm>

#include "inspect/app/app_event.h"
#include "inspect/rules/condition.h"
#include "inspect/rules/keywords.h"
#include "inspect/stream/stream_event.h"

namespace sluice::inspect {
namespace {

class AppEventCondition final : public Condition {
 public:
  explicit AppEventCondition(uint16_t event) : event_(event) {}
  bool holds(const RuleContext& context) const override {
    return std::ranges::find(context.app_events, event_) != context.app_events.end();
  }
  AppProtocol about_transaction() const override { return app_events()[event_].protocol; }
  std::optional<uint16_t> about_event() const override { return event_; }
  bool about_outside() const override { return app_events()[event_].outside; }

 private:
  const uint16_t event_;
};

// protocol.name, or the name alone of what is noticed before there is a protocol
Result<> apply_app_layer_event(RuleDraft& draft, std::string_view value) {
  const bool of_none = value.find('.') == std::string_view::npos;
  std::string_view name = value;
  const std::string_view protocol =
      of_none ? app_protocol_name(AppProtocol::kUnknown) : take_part(name, '.');
  for (uint16_t i = 0; i < app_events().size(); i++) {
    const AppEvent& event = app_events()[i];
    if (app_protocol_name(event.protocol) != protocol || event.name != name) continue;
    draft.rule.conditions.push_back(std::make_shared<AppEventCondition>(i));
    return {};
  }
  return fail("event '" + std::string(value) + "' is never told here");
}

class StreamEventCondition final : public Condition {
 public:
  explicit StreamEventCondition(StreamEvent event) : event_(event) {}
  bool holds(const RuleContext& context) const override {
    return (context.stream_events & bit_of(event_)) != 0;
  }
  bool about_packet() const override { return true; }
  bool about_stream_event() const override { return true; }

 private:
  const StreamEvent event_;
};

Result<> apply_stream_event(RuleDraft& draft, std::string_view value) {
  for (const auto& [name, event] : kStreamEvents) {
    if (name != value) continue;
    draft.rule.conditions.push_back(std::make_shared<StreamEventCondition>(event));
    return {};
  }
  return fail("event '" + std::string(value) + "' is never told here");
}

class DecodeEventCondition final : public Condition {
 public:
  explicit DecodeEventCondition(DecodeEvent event) : event_(event) {}
  bool holds(const RuleContext& context) const override {
    return has(context.decode_events, event_);
  }
  bool about_packet() const override { return true; }
  bool about_decode_event() const override { return true; }

 private:
  const DecodeEvent event_;
};

Result<> apply_decode_event(RuleDraft& draft, std::string_view value) {
  for (const auto& [name, event] : kDecodeEvents) {
    if (name != value) continue;
    draft.rule.conditions.push_back(std::make_shared<DecodeEventCondition>(event));
    return {};
  }
  return fail("event '" + std::string(value) + "' is never told here");
}

// The same two, with their kind before the name.
Result<> apply_engine_event(RuleDraft& draft, std::string_view value) {
  std::string_view name = value;
  const std::string_view kind = take_part(name, '.');
  if (kind == "stream") return apply_stream_event(draft, name);
  if (kind == "decoder") return apply_decode_event(draft, name);
  return fail("'" + std::string(value) + "' begins neither with stream. nor with decoder.");
}

constexpr Keyword kKeywords[] = {
    {"app-layer-event", KeywordValue::kRequired, apply_app_layer_event,
     "protocol.name: what a parser has noticed; docs/features/ids-lookups.md lists them"},
    {"stream-event", KeywordValue::kRequired, apply_stream_event,
     "what a packet does to its stream; docs/features/ids-lookups.md lists them"},
    {"decode-event", KeywordValue::kRequired, apply_decode_event,
     "why bytes are no packet, or what is odd about one; docs/features/ids-lookups.md lists them"},
    {"engine-event", KeywordValue::kRequired, apply_engine_event,
     "stream.NAME as stream-event, decoder.NAME as decode-event"},
};

}  // namespace

std::span<const Keyword> event_keywords() { return kKeywords; }

}  // namespace sluice::inspect
