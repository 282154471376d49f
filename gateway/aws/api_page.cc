// SPDX-License-Identifier: Apache-2.0
// Prints docs/api.md from the lists of actions and attributes.
#include <cstdio>
#include <string>

#include "gateway/aws/actions.h"
#include "gateway/control/attributes.h"

namespace sluice::gateway {
namespace {

void print_actions() {
  for (const ServiceNames& service : aws_services()) {
    std::printf("\n## %s (%s)\n\n", std::string(service.title).c_str(),
                std::string(service.version).c_str());
    std::printf("| action | key | here |\n|---|---|---|\n");
    for (const ActionRow& row : aws_actions())
      if (row.service == service.service)
        std::printf("| `%s` | %s | %s |\n", std::string(row.name).c_str(),
                    row.writes ? "read-write" : "any", std::string(row.what).c_str());
  }
}

std::string types_of(const AttributeRow& row) {
  std::string out;
  for (const auto type :
       {LoadBalancerType::kGateway, LoadBalancerType::kNetwork, LoadBalancerType::kApplication})
    if (row.types & type_bit(type)) out.append(out.empty() ? "" : ", ").append(type_name(type));
  return out;
}

// "a|b" in a table.
std::string words(std::string_view text) {
  std::string out(text);
  for (size_t at = 0; (at = out.find('|', at)) != std::string::npos; at += 4)
    out.replace(at, 1, " or ");
  return out;
}

// What a client may set: all that the form has, or the values that say what is so anyway.
std::string accepted(const AttributeRow& row) {
  if (!row.fixed.empty()) return "only " + words(row.fixed);
  if (row.is_own() && row.fallback.empty()) return std::string(row.form);
  if (row.fallback.empty()) return "only the empty text";
  return row.form == "bool" ? "true or false" : words(row.form);
}

void print_attributes() {
  constexpr std::string_view kScopes[] = {"load balancers", "target groups", "listeners"};
  for (size_t scope = 0; scope < std::size(kScopes); scope++) {
    std::printf("\n## Attributes of %s\n\n", std::string(kScopes[scope]).c_str());
    std::printf("| attribute | types | default | accepted | here |\n|---|---|---|---|---|\n");
    for (const AttributeRow& row : attribute_rows())
      if (row.scope == static_cast<AttributeScope>(scope))
        std::printf("| `%s` | %s | %s | %s | %s |\n", std::string(row.name).c_str(),
                    types_of(row).c_str(), std::string(row.fallback).c_str(), accepted(row).c_str(),
                    std::string(row.meaning).c_str());
  }
}

}  // namespace
}  // namespace sluice::gateway

int main() {
  std::printf(
      "# Actions and attributes\n\n"
      "What the [AWS APIs](features/elbv2.md) have here. This page is printed from the lists in\n"
      "`gateway/aws/actions.cc` and `gateway/control/attributes.cc` (`ninja -C build/dev "
      "api_page`), and a test\n"
      "keeps them equal. Any other action is answered with `InvalidAction`.\n");
  sluice::gateway::print_actions();
  std::printf(
      "\nEvery attribute of ELBv2 is here. One that does not act accepts only the values that "
      "describe what the\n"
      "gateway does anyway, so that clients which send every attribute with its default work.\n");
  sluice::gateway::print_attributes();
  return 0;
}
