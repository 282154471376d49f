// SPDX-License-Identifier: Apache-2.0
// Prints docs/rules.md from the tables of keywords, buffers and transformations.
#include <cstdio>
#include <string>

#include "inspect/app/session.h"
#include "inspect/rules/keywords.h"

using namespace sluice::inspect;

namespace {

// A | would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string code(std::string_view text) {
  return text.empty() ? std::string() : "`" + std::string(text) + "`";
}

void print_keywords() {
  for (const KeywordGroup& group : keyword_groups()) {
    std::printf("\n## %s\n\n| keyword | what it asks or does |\n|---|---|\n",
                std::string(group.title).c_str());
    for (const Keyword& keyword : group.keywords)
      std::printf("| %s | %s |\n", code(keyword.name).c_str(), cell(keyword.meaning).c_str());
  }
}

std::string_view directions(const BufferInfo& info) {
  return info.to_server && info.to_client ? "both" : info.to_server ? "to server" : "to client";
}

std::string_view shape(BufferShape shape) {
  return shape == BufferShape::kWhole  ? "once"
         : shape == BufferShape::kMany ? "many"
                                       : "piece by piece";
}

void print_buffers() {
  std::puts(
      "\n## Buffers\n\nA sticky buffer takes all content that follows it; the modifier puts the "
      "content before it there.\n\n| sticky | older name | modifier | protocol | direction | comes "
      "|\n|---|---|---|---|---|---|");
  for (const BufferInfo& info : buffer_table()) {
    if (!is_understood(info.protocol)) continue;
    const bool of_any = info.protocol == AppProtocol::kUnknown;
    std::printf("| %s | %s | %s | %s | %s | %s |\n", code(info.name).c_str(),
                code(info.old_sticky).c_str(), code(info.modifier).c_str(),
                of_any ? "" : std::string(app_protocol_name(info.protocol)).c_str(),
                std::string(directions(info)).c_str(), std::string(shape(info.shape)).c_str());
  }
}

void print_transforms() {
  std::puts(
      "\n## Transformations\n\nBetween a sticky buffer and the content that looks at the "
      "result.\n");
  for (const std::string_view name : transform_keywords())
    std::printf("- %s\n", code(name).c_str());
}

}  // namespace

int main() {
  std::puts(
      "# What rules may say\n\nPrinted from the tables in `inspect/rules` and `inspect/app`; "
      "`ninja "
      "rules_page` writes it. A rule with any\nother keyword is refused, whole, by name. How rules "
      "act: `docs/features/ids.md`.");
  print_keywords();
  print_buffers();
  print_transforms();
}
