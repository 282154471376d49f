// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/requirements.h"

#include <algorithm>
#include <utility>

#include "inspect/rules/keywords.h"
#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

using Version = std::array<uint8_t, 3>;

// "8", "7.0", "7.0.3"
Result<Version> parse_version(std::string_view text) {
  Version out{};
  const std::string whole(text);
  for (uint8_t& part : out) {
    SLUICE_TRY(part, option_number<uint8_t>(take_part(text, '.'), 0, 255));
    if (text.empty()) break;
  }
  if (!text.empty() || whole.ends_with('.')) return fail("'" + whole + "' is not a version");
  return out;
}

struct Comparison {
  std::string_view sign;
  bool (*holds)(const Version& here, const Version& asked);
};
constexpr Comparison kComparisons[] = {
    {">=", [](const Version& here, const Version& asked) { return here >= asked; }},
    {">", [](const Version& here, const Version& asked) { return here > asked; }},
    {"<=", [](const Version& here, const Version& asked) { return here <= asked; }},
    {"<", [](const Version& here, const Version& asked) { return here < asked; }},
};

// Comparisons, all of which must hold.
Result<bool> is_in_range(std::string_view text) {
  if (text.empty()) return fail("a version is compared with >=, >, <= or <");
  bool all = true;
  while (!(text = trimmed_option(text)).empty()) {
    const auto* const comparison = std::ranges::find_if(
        kComparisons, [&](const Comparison& c) { return text.starts_with(c.sign); });
    if (comparison == std::end(kComparisons))
      return fail("a version is compared with >=, >, <= or <");
    text = trimmed_option(text.substr(comparison->sign.size()));
    const std::string_view number = text.substr(0, text.find_first_of(" <>"));
    text.remove_prefix(number.size());
    SLUICE_TRY(const Version asked, parse_version(number));
    all = all && comparison->holds(kSuricataVersion, asked);
  }
  return all;
}

// Ranges, one of which must hold.
Result<bool> is_version(std::string_view text) {
  bool any = false;
  for (bool last = false; !last;) {
    last = text.find('|') == std::string_view::npos;
    SLUICE_TRY(const bool holds, is_in_range(take_part(text, '|')));
    any = any || holds;
  }
  return any;
}

Result<bool> is_met(std::string_view name, std::string_view value) {
  if (value.empty()) return fail("'" + std::string(name) + "' needs a value");
  if (name == "version") return is_version(value);
  // Those that Suricata calls so (geoip, output::file-store) are not there.
  return name == "keyword" && find_keyword(value) != nullptr;
}

}  // namespace

Result<std::string> unmet_requirement(std::string_view requirements) {
  std::string unmet;
  bool version_given = false;
  for (const std::string_view part : comma_parts(requirements)) {
    const std::string_view name = part.substr(0, part.find_first_of(" <>="));
    if (name == "version" && std::exchange(version_given, true))
      return fail("version is given twice");
    SLUICE_TRY(const bool met, is_met(name, trimmed_option(part.substr(name.size()))));
    if (!met && unmet.empty()) unmet = part;
  }
  return unmet;
}

}  // namespace sluice::inspect
