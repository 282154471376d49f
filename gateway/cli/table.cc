// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/table.h"

#include <algorithm>

namespace sluice::gateway {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; }) &&
         std::ranges::count(text, '.') <= 1;
}

void add_line(std::string& out, const std::vector<std::string>& cells,
              const std::vector<size_t>& widths, const std::vector<bool>& numbers) {
  std::string line;
  for (size_t i = 0; i < cells.size(); i++) {
    const std::string padding(widths[i] - cells[i].size(), ' ');
    line += (i == 0 ? "" : "  ") + (numbers[i] ? padding + cells[i] : cells[i] + padding);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + "\n";
}

}  // namespace

std::string format_table(const std::vector<std::string>& heading,
                         const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  std::vector<bool> numbers;
  for (size_t i = 0; i < heading.size(); i++) {
    widths.push_back(heading[i].size());
    numbers.push_back(!rows.empty());
    for (const auto& row : rows) {
      widths[i] = std::max(widths[i], row[i].size());
      numbers[i] = numbers[i] && is_number(row[i]);
    }
  }
  std::string out;
  add_line(out, heading, widths, numbers);
  for (const auto& row : rows) add_line(out, row, widths, numbers);
  return out;
}

}  // namespace sluice::gateway
