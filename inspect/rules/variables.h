// SPDX-License-Identifier: Apache-2.0
// Variables that rule headers may name: $HOME_NET, $HTTP_PORTS ...
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::inspect {

// Name without the $, and an address or port list in rule syntax, which may name other variables.
using Variables = std::map<std::string, std::string, std::less<>>;

// The names that public rule sets use: HOME_NET is the private addresses, EXTERNAL_NET is any,
// servers are $HOME_NET, ports are the usual ones.
Variables default_variables();

// "HOME_NET=[10.0.0.0/8]" into `variables`; an error if it is no assignment or no list.
Result<> set_variable(Variables& variables, std::string_view assignment);

}  // namespace sluice::inspect
