// SPDX-License-Identifier: Apache-2.0
// Names of nDPI to numbers and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/dpi/classifier.h"

namespace sluice::inspect {

std::optional<uint16_t> number_of(std::string_view name, const std::vector<std::string>& names);

// "TLS.YouTube", "YouTube", "TLS"; a lone name is an application without a master. Names may hold a
// dot themselves (Z39.50), so the whole is tried first. Unknown is no name of an application.
std::optional<Application> application_named(std::string_view name, const DpiNames& names);
// "TLS.YouTube", "TLS", "Unknown".
std::string application_text(const Application& application, const DpiNames& names);

// "unknown category 'Vidio', did you mean 'Video'?"; of an application the part that is unknown.
std::string unknown_name(const char* kind, std::string_view name,
                         const std::vector<std::string>& names);
std::string unknown_application(std::string_view name, const DpiNames& names);

}  // namespace sluice::inspect
