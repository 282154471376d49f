// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "inspect/dpi/names.h"
#include "inspect/dpi/policy_reader.h"

namespace sluice::inspect {

using tunnels::YamlMap;
using tunnels::YamlNode;

namespace {

constexpr std::array<std::string_view, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// JA3: an MD5. JA4: "t13d1516h2_8daaf6152771_b186095e22b6".
bool is_fingerprint(std::string_view key, std::string_view text) {
  if (key == "ja3") return text.size() == 32 && std::all_of(text.begin(), text.end(), is_hex);
  return text.size() == 36 && text[10] == '_' && text[23] == '_' &&
         std::all_of(text.begin() + 11, text.begin() + 23, is_hex) &&
         std::all_of(text.begin() + 24, text.end(), is_hex);
}

// "HH:MM" in minutes.
std::optional<int> minutes_of(std::string_view text) {
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4))
    return std::nullopt;
  const int hour = (text[0] - '0') * 10 + text[1] - '0';
  const int minute = (text[3] - '0') * 10 + text[4] - '0';
  if (minute > 59 || hour * 60 + minute > kMinutesPerDay) return std::nullopt;
  return hour * 60 + minute;
}

}  // namespace

void PolicyReader::each_word(
    YamlMap& map, std::string_view key,
    const std::function<void(const std::string&, const YamlNode&)>& visit) {
  const YamlNode* value = map.find(key);
  if (value == nullptr) return;
  const auto word = [&](const YamlNode& node) {
    std::string text;
    if (read_yaml(node, errors_, text)) visit(text, node);
  };
  if (value->kind != YamlNode::Kind::kSequence) return word(*value);
  if (value->children.empty()) errors_.add(*value, "an empty list matches nothing");
  each_yaml(*value, errors_, kPolicyNamesMax, word);
}

void PolicyReader::read_match(const YamlNode& node, uint16_t index, PolicyMatch& match) {
  YamlMap map(node, errors_);
  each_word(map, "application", [&](const std::string& word, const YamlNode& place) {
    if (const auto key = application_key(place, word)) match.applications.push_back(*key);
  });
  each_word(map, "category", [&](const std::string& word, const YamlNode& place) {
    if (const auto number = named(place, "category", word, names_.categories))
      match.categories.push_back(*number);
  });
  each_word(map, "risk", [&](const std::string& word, const YamlNode& place) {
    const auto number = named(place, "risk", word, names_.risks);
    if (number && *number < 64) match.risks |= uint64_t{1} << *number;
  });
  (void)map.read_integer("score", match.score, 1, UINT16_MAX);
  read_hosts(map, index, match);
  read_fingerprints(map, "ja3", match.ja3);
  read_fingerprints(map, "ja4", match.ja4);
  each_word(map, "client", [&](const std::string& word, const YamlNode& place) {
    if (const auto prefix = parse_prefix(word)) {
      match.clients.push_back(*prefix);
    } else {
      errors_.add(place, prefix.error().what);
    }
  });
  each_word(map, "endpoint", [&](const std::string&, const YamlNode& place) {
    uint64_t id = 0;
    if (read_yaml_integer(place, errors_, 0, UINT64_MAX, id)) match.endpoints.push_back(id);
  });
  if (const YamlNode* schedule = map.find("schedule")) read_schedule(*schedule, match);
  map.finish();
}

void PolicyReader::read_hosts(YamlMap& map, uint16_t index, PolicyMatch& match) {
  each_word(map, "host", [&](const std::string& word, const YamlNode& place) {
    match.host = true;
    const Result<> added = policy_.hosts_.add(word, index);
    if (!added) errors_.add(place, added.error().what);
  });
}

void PolicyReader::read_fingerprints(YamlMap& map, std::string_view key,
                                     std::vector<std::string>& out) {
  each_word(map, key, [&](const std::string& word, const YamlNode& place) {
    if (!is_fingerprint(key, word))
      errors_.add(place, key == "ja3" ? "a JA3 is 32 hexadecimal digits, in small letters"
                                      : "a JA4 is like t13d1516h2_8daaf6152771_b186095e22b6");
    out.push_back(word);
  });
}

void PolicyReader::read_schedule(const YamlNode& node, PolicyMatch& match) {
  Schedule schedule;
  YamlMap map(node, errors_);
  if (map.find("days") != nullptr) schedule.days = 0;
  each_word(map, "days", [&](const std::string& word, const YamlNode& place) {
    const auto day = std::find(kDays.begin(), kDays.end(), word);
    if (day == kDays.end())
      errors_.add(place, "'" + word + "' is not one of: mon, tue, wed, thu, fri, sat, sun");
    else
      schedule.days |= static_cast<uint8_t>(1 << (day - kDays.begin()));
  });
  read_time(map, "from", false, schedule.from);
  read_time(map, "to", true, schedule.to);
  map.finish();
  if (schedule.from == schedule.to)
    errors_.add(node, "from and to are the same; for whole days leave both out");
  if (policy_.schedules_.size() >= kPolicySchedulesMax)
    return errors_.add(node, "more than " + std::to_string(kPolicySchedulesMax) + " schedules");
  match.schedule = static_cast<int>(policy_.schedules_.size());
  policy_.schedules_.push_back(schedule);
}

void PolicyReader::read_time(YamlMap& map, std::string_view key, bool end, int& out) {
  const YamlNode* node = map.find(key);
  std::string text;
  if (node == nullptr || !read_yaml(*node, errors_, text)) return;
  const auto minutes = minutes_of(text);
  if (!minutes || (!end && *minutes == kMinutesPerDay))
    return errors_.add(*node, end ? "a time from 00:00 to 24:00 is expected"
                                  : "a time from 00:00 to 23:59 is expected");
  out = *minutes;
}

std::optional<uint32_t> PolicyReader::application_key(const YamlNode& node, std::string_view name) {
  const auto application = application_named(name, names_);
  if (application) return Policy::key(application->master, application->application);
  errors_.add(node, unknown_application(name, names_));
  return std::nullopt;
}

std::optional<uint16_t> PolicyReader::named(const YamlNode& node, const char* kind,
                                            std::string_view name,
                                            const std::vector<std::string>& names) {
  const auto number = number_of(name, names);
  if (!number) errors_.add(node, unknown_name(kind, name, names));
  return number;
}

}  // namespace sluice::inspect
