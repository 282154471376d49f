// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/settings.h"

#include <algorithm>
#include <array>

#include "appliances/ids/limit_settings.h"
#include "appliances/ids/setting_value.h"
#include "appliances/ids/settings_files.h"
#include "appliances/ids/settings_notes.h"
#include "inspect/app/http.h"

namespace sluice::ids {
namespace {

// Lists, which come element by element.
struct Lists {
  bool by_itself = false;  // one of no file: an option of a type of events does not choose the type
  std::string types;
  std::vector<std::pair<std::string, bool>> enabled, extended;  // types that say so
  std::string eve_file;                                         // all events go to one
  bool stats = true;
  std::string order;
  std::array<std::optional<uint64_t>, 2> http_bodies;             // by Direction
  const Setting* unlimited_body = nullptr;                        // that asks for no limit
  std::vector<std::pair<const Setting*, std::string>> variables;  // with their names
  NamedFiles files;
};

// Types whose events tell less if they are named and not `extended`.
constexpr std::array<std::string_view, 2> kExtensible = {"http", "tls"};

void add_to(std::string& list, std::string_view element) {
  if (!list.empty()) list += ',';
  list += element;
}

// "a.b.c" is "a" and "b.c".
std::string_view first_word(std::string_view& path) {
  const size_t dot = std::min(path.find('.'), path.size());
  const std::string_view word = path.substr(0, dot);
  path.remove_prefix(std::min(dot + 1, path.size()));
  return word;
}

constexpr std::string_view kLayerLimit =
    "app-layer.protocols.http.libhtp.default-config.response-body-decompress-layer-limit";
constexpr std::string_view kInline = "it is inline, also over a capture: take the line out";
constexpr std::string_view kMidstream =
    "connections met in their middle are inspected: stream.midstream-policy says otherwise";
constexpr std::string_view kEncrypted =
    "what is encrypted is tracked and not searched: say track-only";
constexpr std::string_view kLayers = "three layers are taken off at most";
constexpr uint64_t kBodyMost = inspect::kHttpBodyMax;
constexpr std::string_view kMegabyte = "a megabyte of a body is looked at: say 1mb at most";
static_assert(kBodyMost == 1 << 20);

// What must be as it is anyway, or looks at more than is asked for (kLayerLimit), so that nobody
// relies on anything else.
Applied apply_fixed(std::string_view name, std::string_view value) {
  struct Fixed {
    std::string_view name;
    std::array<std::string_view, 4> values;  // that are as it is; "" too
    std::string_view why;  // others are refused; empty: they look at less than is looked at
  };
  static constexpr Fixed kFixed[] = {
      {"stream.inline", {"true", "yes", "auto"}, kInline},
      {"stream.midstream", {"true", "yes"}, kMidstream},
      {"app-layer.protocols.http2.enabled", {"true", "yes"}, {}},
      {"app-layer.protocols.http2.http1-rules", {"true", "yes"}, {}},
      {"app-layer.protocols.tls.ja3-fingerprints", {"true", "yes", "auto"}, {}},
      {"app-layer.protocols.tls.ja4-fingerprints", {"true", "yes", "auto"}, {}},
      {"app-layer.protocols.tls.encryption-handling", {"track-only", "default"}, kEncrypted},
      {kLayerLimit, {"3", "2", "1", "0"}, kLayers},
  };
  for (const Fixed& fixed : kFixed) {
    if (fixed.name != name) continue;
    if (std::ranges::find(fixed.values, value) != fixed.values.end()) return true;
    if (fixed.why.empty()) return false;
    return bad_value(name, value, fixed.why);
  }
  const std::string_view remedy = remedy_for(name, value);
  if (!remedy.empty()) return bad_value(name, value, remedy);
  return false;
}

Applied set_one(std::initializer_list<std::pair<std::string_view, bool*>> switches,
                std::string_view option, std::string_view value) {
  for (const auto& [name, wanted] : switches)
    if (name == option) return set(*wanted, option, value);
  return false;
}

// The settings of one type of events, e.g. "alert" "payload" "yes".
Applied apply_event_option(std::string_view type, std::string_view option, std::string_view value,
                           IdsOptions& options) {
  inspect::EventOptions& events = options.inspection.events;
  if (type == "alert")
    return set_one({{"payload", &events.payload},
                    {"payload-printable", &events.payload_printable},
                    {"packet", &events.packet},
                    {"verdict", &events.verdict}},
                   option, value);
  if (type == "stats")
    return set_one({{"totals", &options.stats.totals},
                    {"threads", &options.stats.threads},
                    {"deltas", &options.stats.deltas}},
                   option, value);
  if (type == "anomaly")
    return set_one({{"types.applayer", &events.anomalies.applayer},
                    {"types.stream", &events.anomalies.stream},
                    {"types.decode", &events.anomalies.decode},
                    {"packethdr", &events.anomalies.packet_header}},
                   option, value);
  if (type == "dns" && option == "version")
    return set_size(events.dns_version, option, value, 2, 3);
  if (type == "drop" && option == "flows" && (value == "all" || value == "start")) {
    events.every_drop = value == "all";
    return true;
  }
  if (type == "files" && option.starts_with("force-hash.")) {
    for (size_t i = 0; i < inspect::kFileHashes; i++) {
      if (inspect::file_hash_name(static_cast<inspect::FileHash>(i)) != value) continue;
      options.inspection.file_hashes[i] = true;
      return true;
    }
    return bad_value(option, value);
  }
  // They are always there.
  if (type == "flow" && option == "exception-policy") return boolean(value).value_or(false);
  return false;
}

// A list entry of "types": a name, or a name with options below it.
Applied apply_type(std::string_view path, std::string_view value, IdsOptions& options,
                   Lists& lists) {
  (void)first_word(path);  // its number
  const std::string_view type = path.empty() ? value : first_word(path);
  const std::string name(type == "files" ? "fileinfo" : type);
  if (!inspect::EventTypes::parse(name) || name == "all" || name == "none") return false;
  if (path.empty() || !lists.by_itself) add_to(lists.types, name);
  if (path.empty()) return true;
  const bool extends =
      path == "extended" && std::ranges::find(kExtensible, name) != kExtensible.end();
  if (path == "enabled" || extends) {
    bool said = true;
    SLUICE_TRY(const bool applied, set(said, path, value));
    (extends ? lists.extended : lists.enabled).emplace_back(name, said);
    return applied;
  }
  // Members of its choice, which are not chosen here: all of them.
  if (name == "tls" && path.starts_with("custom.")) lists.extended.emplace_back(name, true);
  return apply_event_option(type, path, value, options);
}

Applied apply_eve_file(std::string_view name, Lists& lists, IdsOptions& options) {
  if (name.empty()) return bad_value("filename", name);
  if (!lists.eve_file.empty() && lists.eve_file != name) return false;
  options.eve.path = lists.eve_file = name;
  return true;
}

Applied apply_rotation(std::string_view name, std::string_view value, IdsOptions& options) {
  auto rotation = inspect::Rotation::parse(value);
  if (!rotation) return bad_value(name, value, rotation.error().what);
  options.eve.rotation = *rotation;
  return true;
}

Applied apply_eve(std::string_view path, std::string_view value, IdsOptions& options,
                  Lists& lists) {
  inspect::EventOptions& events = options.inspection.events;
  if (path == "enabled") return boolean(value).value_or(false);
  if (path == "filetype") return value == "regular";
  if (path == "filename") return apply_eve_file(value, lists, options);
  if (path == "rotate-interval") return apply_rotation(path, value, options);
  if (path == "community-id") return set(events.community_id, path, value);
  if (path == "community-id-seed")
    return set_size(events.community_id_seed, path, value, 0, UINT16_MAX);
  if (path == "ipv6-compress") return set(events.short_ipv6, path, value);
  if (!path.starts_with("types.")) return false;
  path.remove_prefix(6);
  return apply_type(path, value, options, lists);
}

// "file:12"
std::string place(const Settings& settings, const Setting& setting) {
  if (setting.line == 0) return std::string(kSetOption);
  return settings.file + ":" + std::to_string(setting.line);
}

// "vars.address-groups.HOME_NET"
Applied take_variable(const Setting& setting, Lists& lists) {
  static constexpr std::string_view kGroups[] = {"vars.address-groups", "vars.port-groups"};
  const std::string_view name = setting.name;
  for (const std::string_view group : kGroups) {
    if (!name.starts_with(group) || !name.substr(group.size()).starts_with('.')) continue;
    lists.variables.emplace_back(&setting, name.substr(group.size() + 1));
    return true;
  }
  const bool group = name == "vars" || std::ranges::find(kGroups, name) != std::end(kGroups);
  if (group && !setting.value.empty())
    return bad_value(name, setting.value, "address-groups and port-groups have names with values");
  return false;
}

Result<> apply_variable(const std::string& name, const Setting& setting, IdsOptions& options) {
  const auto taken = inspect::set_variable(options.rules.variables, name + "=" + setting.value);
  return taken ? Result<>{} : bad_value(name, setting.value, taken.error().what);
}

// One may name any other, wherever that stands. Without its variables the rules would be lost.
Result<> apply_variables(const Settings& settings, Lists& lists, IdsOptions& options) {
  auto& waiting = lists.variables;
  const auto taken = [&](const auto& variable) {
    return static_cast<bool>(apply_variable(variable.second, *variable.first, options));
  };
  while (std::erase_if(waiting, taken) != 0) continue;
  if (waiting.empty()) return {};
  const auto& [setting, name] = waiting.front();
  return fail(apply_variable(name, *setting, options).error().what, place(settings, *setting));
}

// Of all servers together: the most that is asked for one.
Applied apply_body_limit(const Setting& setting, Lists& lists) {
  const std::string_view name = setting.name;
  if (!name.starts_with("app-layer.protocols.http.libhtp.")) return false;
  const bool request = name.ends_with(".request-body-limit");
  if (!request && !name.ends_with(".response-body-limit")) return false;
  const std::string_view value = setting.value;
  const auto limit = size(value);
  if (!limit || *limit > kBodyMost) return bad_value(name, value, kMegabyte);
  if (*limit == 0) lists.unlimited_body = &setting;
  auto& most = lists.http_bodies[request ? 0 : 1];
  most = std::max(most.value_or(0), *limit == 0 ? kBodyMost : *limit);
  return true;
}

// Without a limit a body is looked at as far as a stream is, if that is no further.
Result<> apply_body_limits(const Lists& lists, inspect::InspectorOptions& inspection) {
  for (size_t side = 0; side < 2; side++)
    inspection.http_bodies[side] = lists.http_bodies[side].value_or(inspection.http_bodies[side]);
  const Setting* const unlimited = lists.unlimited_body;
  if (unlimited == nullptr || inspection.stream.depth <= kBodyMost) return {};
  return bad_value(unlimited->name, unlimited->value, kMegabyte);
}

Applied apply_stats(std::string_view name, std::string_view value, IdsOptions& options,
                    Lists& lists) {
  if (name == "stats.enabled") {
    SLUICE_TRY_VOID(set(lists.stats, name, value));
    return true;
  }
  if (name != "stats.interval") return false;
  int64_t seconds = 0;
  SLUICE_TRY(const bool applied, set_size(seconds, name, value, 1, 86'400));
  options.stats.interval_us = seconds * 1'000'000;
  return applied;
}

Applied apply_one(const Setting& setting, IdsOptions& options, Lists& lists) {
  const std::string_view name = setting.name;
  const std::string_view value = setting.value;
  if (lists.files.take(setting)) return true;
  SLUICE_TRY(const bool fixed, apply_fixed(name, value));
  if (fixed) return true;
  SLUICE_TRY(const bool limit, apply_limit(name, value, options));
  if (limit) return true;
  SLUICE_TRY(const bool body_limit, apply_body_limit(setting, lists));
  if (body_limit) return true;
  inspect::InspectorOptions& inspection = options.inspection;
  if (name.starts_with("action-order.")) {
    add_to(lists.order, value);
    return true;
  }
  SLUICE_TRY(const bool stats, apply_stats(name, value, options, lists));
  if (stats) return true;
  if (name == "sensor-name") {
    inspection.events.sensor_name = value;
    return true;
  }
  if (name == "stream.checksum-validation") return set(inspection.verify_checksums, name, value);
  if (name == "stream.async-oneside") return set(inspection.one_sided, name, value);
  if (name == "packet-alert-max")
    return set_size(inspection.alerts_per_packet_max, name, value, 1, 255);
  SLUICE_TRY(const bool variable, take_variable(setting, lists));
  if (variable) return true;
  std::string_view path = name;
  if (first_word(path) != "outputs") return false;
  (void)first_word(path);  // its number
  if (first_word(path) != "eve-log") return false;
  return apply_eve(path, value, options, lists);
}

// Which events tell all. As in Suricata a type that is named does so only if it says `extended`.
void apply_extended(const Lists& lists, inspect::EventOptions& events) {
  for (const std::string_view name : kExtensible)
    if (!lists.types.empty() && events.types.has(name))
      events.extended = events.extended.with(name, false);
  for (const auto& [name, extended] : lists.extended)
    events.extended = events.extended.with(name, extended);
}

Result<> apply_lists(const Lists& lists, IdsOptions& options, SettingNotes& notes) {
  inspect::EventTypes& types = options.inspection.events.types;
  if (!lists.types.empty()) SLUICE_TRY_VOID(choose_events(lists.types, options));
  apply_extended(lists, options.inspection.events);
  for (const auto& [name, enabled] : lists.enabled) types = types.with(name, enabled);
  if (!lists.stats) types = types.without(inspect::EventType::kStats);
  if (!options.stats.totals && !options.stats.threads)
    return fail("stats: not both of 'totals' and 'threads' may be off");
  SLUICE_TRY_VOID(lists.files.apply(options.rules, notes));
  if (lists.order.empty()) return {};
  const auto order = inspect::parse_rule_order(lists.order);
  if (!order) return fail("action-order: " + order.error().what);
  options.rules.order = *order;
  return {};
}

// What of outputs is not followed: "outputs.3." of one that is off, and where one that is written
// elsewhere is. An eve-log that is off is noted.
std::vector<std::string> unused_outputs(const Settings& settings, SettingNotes& notes) {
  std::vector<std::string> out;
  for (const Setting& setting : settings.all) {
    std::string_view path = setting.name;
    if (first_word(path) != "outputs") continue;
    const std::string number = "outputs." + std::string(first_word(path)) + ".";
    const bool eve = first_word(path) == "eve-log";
    if (path == "enabled" && !boolean(setting.value).value_or(true)) {
      out.push_back(number);
      if (eve) notes.add(setting);
    } else if (eve && path == "filetype" && setting.value != "regular") {
      for (const char* name : {"filename", "rotate-interval"})
        out.push_back(number + "eve-log." + name);
    }
  }
  return out;
}

bool is_unused(std::string_view name, const std::vector<std::string>& unused) {
  return std::ranges::any_of(unused, [&](const auto& prefix) { return name.starts_with(prefix); });
}

// Each by itself.
Result<> apply_each(const Settings& settings, IdsOptions& options, Lists& lists,
                    SettingNotes& notes) {
  const std::vector<std::string> unused = unused_outputs(settings, notes);
  for (const Setting& setting : settings.all) {
    const bool followed = !is_unused(setting.name, unused);
    if (!followed && setting.line != 0) continue;
    lists.by_itself = setting.line == 0;
    auto applied = followed ? apply_one(setting, options, lists) : Applied(false);
    const bool without_effect = applied && !*applied;
    if (without_effect && setting.line == 0) applied = bad_value(setting.name, setting.value);
    if (!applied) return fail(applied.error().what, place(settings, setting));
    if (without_effect) notes.add(setting);
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> apply_settings(const Settings& settings, IdsOptions& options) {
  Lists lists;
  SettingNotes notes;
  SLUICE_TRY_VOID(apply_each(settings, options, lists, notes));
  SLUICE_TRY_VOID(apply_variables(settings, lists, options));
  if (const auto applied = apply_body_limits(lists, options.inspection); !applied)
    return fail(applied.error().what, place(settings, *lists.unlimited_body));
  SLUICE_TRY_VOID(apply_lists(lists, options, notes));
  return notes.texts(settings.file);
}

Result<> choose_events(const std::string& list, IdsOptions& options) {
  SLUICE_TRY(options.inspection.events.types, inspect::EventTypes::parse(list));
  return {};
}

}  // namespace sluice::ids
