// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/variables.h"

#include <algorithm>
#include <cctype>

#include "inspect/rules/header.h"

namespace sluice::inspect {

Variables default_variables() {
  return {
      {"HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12,fc00::/7]"},
      {"EXTERNAL_NET", "any"},
      {"HTTP_SERVERS", "$HOME_NET"},
      {"SMTP_SERVERS", "$HOME_NET"},
      {"SQL_SERVERS", "$HOME_NET"},
      {"DNS_SERVERS", "$HOME_NET"},
      {"TELNET_SERVERS", "$HOME_NET"},
      {"AIM_SERVERS", "$EXTERNAL_NET"},
      {"DC_SERVERS", "$HOME_NET"},
      {"DNP3_SERVER", "$HOME_NET"},
      {"DNP3_CLIENT", "$HOME_NET"},
      {"MODBUS_CLIENT", "$HOME_NET"},
      {"MODBUS_SERVER", "$HOME_NET"},
      {"ENIP_CLIENT", "$HOME_NET"},
      {"ENIP_SERVER", "$HOME_NET"},
      {"HTTP_PORTS", "80"},
      {"SHELLCODE_PORTS", "!80"},
      {"ORACLE_PORTS", "1521"},
      {"SSH_PORTS", "22"},
      {"DNP3_PORTS", "20000"},
      {"MODBUS_PORTS", "502"},
      {"FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"},
      {"FTP_PORTS", "21"},
      {"GENEVE_PORTS", "6081"},
      {"VXLAN_PORTS", "4789"},
      {"TEREDO_PORTS", "3544"},
      {"SIP_PORTS", "[5060,5061]"},
  };
}

Result<> set_variable(Variables& variables, std::string_view assignment) {
  const size_t equals = assignment.find('=');
  const std::string name(assignment.substr(0, equals));
  const bool name_ok = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_';
  });
  if (equals == std::string_view::npos || !name_ok)
    return fail("a variable is given as NAME=VALUE", std::string(assignment));
  const std::string_view value = assignment.substr(equals + 1);
  Variables with = variables;
  with[name] = std::string(value);
  const auto addresses = parse_addresses(value, with);
  const auto ports = parse_ports(value, with);
  if (!addresses && !ports)
    return fail("neither an address list (" + addresses.error().what + ") nor a port list (" +
                    ports.error().what + ")",
                std::string(assignment));
  variables = std::move(with);
  return {};
}

}  // namespace sluice::inspect
