// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/names.h"

#include <algorithm>

#include "tunnels/yaml.h"

namespace sluice::inspect {

namespace {

std::optional<uint16_t> known(std::string_view name, const DpiNames& names) {
  const auto number = number_of(name, names.applications);
  return number && *number != 0 ? number : std::nullopt;
}

}  // namespace

std::optional<uint16_t> number_of(std::string_view name, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (name.empty() || found == names.end()) return std::nullopt;
  return static_cast<uint16_t>(found - names.begin());
}

std::optional<Application> application_named(std::string_view name, const DpiNames& names) {
  if (const auto whole = known(name, names)) return Application{0, *whole, 0};
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto master = known(name.substr(0, dot), names);
  const auto application = known(name.substr(dot + 1), names);
  if (!master || !application) return std::nullopt;
  return Application{*master, *application, 0};
}

std::string application_text(const Application& application, const DpiNames& names) {
  const auto text = [&](uint16_t number) {
    const bool named = number < names.applications.size() && !names.applications[number].empty();
    return named ? names.applications[number] : "number " + std::to_string(number);
  };
  if (application.application == 0 && application.master != 0) return text(application.master);
  if (application.master == 0 || application.master == application.application)
    return text(application.application);
  return text(application.master) + "." + text(application.application);
}

std::string unknown_name(const char* kind, std::string_view name,
                         const std::vector<std::string>& names) {
  constexpr size_t kShownMax = 64;  // longer than any name of nDPI
  return std::string("unknown ") + kind + " '" + std::string(name.substr(0, kShownMax)) + "'" +
         tunnels::did_you_mean(name, {names.begin(), names.end()});
}

std::string unknown_application(std::string_view name, const DpiNames& names) {
  const size_t dot = name.find('.');
  const std::string_view master = name.substr(0, dot);
  const bool carried = dot != std::string_view::npos && known(master, names);
  return unknown_name("application", carried ? name.substr(dot + 1) : master, names.applications);
}

}  // namespace sluice::inspect
