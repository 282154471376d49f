// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/named_settings.h"

#include <algorithm>

#include "tunnels/yaml.h"

namespace sluice::ids {
namespace {

void flatten(const tunnels::YamlNode& node, const std::string& path, Settings& out) {
  const std::string prefix = path.empty() ? "" : path + ".";
  switch (node.kind) {
    case tunnels::YamlNode::Kind::kNull:
      out.all.push_back({path, "", node.line});
      break;
    case tunnels::YamlNode::Kind::kScalar:
      out.all.push_back({path, node.scalar, node.line});
      break;
    case tunnels::YamlNode::Kind::kSequence:
      for (size_t i = 0; i < node.children.size(); i++)
        flatten(node.children[i], prefix + std::to_string(i), out);
      break;
    case tunnels::YamlNode::Kind::kMap:
      for (size_t i = 0; i < node.children.size(); i++)
        flatten(node.children[i], prefix + node.keys[i], out);
      break;
  }
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(' '), text.size());
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

}  // namespace

Result<> Settings::set(std::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos)
    return fail("'" + std::string(assignment) + "' is no NAME=VALUE", std::string(kSetOption));
  const Setting wanted{std::string(trimmed(assignment.substr(0, equals))),
                       std::string(trimmed(assignment.substr(equals + 1)))};
  const auto is_meant = [&](const Setting& setting) {
    return setting.name == wanted.name || setting.name.starts_with(wanted.name + ".");
  };
  const auto first = std::ranges::find_if(all, is_meant);
  const auto at = first - all.begin();
  all.erase(std::remove_if(first, all.end(), is_meant), all.end());
  all.insert(all.begin() + at, wanted);
  return {};
}

Result<Settings> read_settings(const std::string& file) {
  SLUICE_TRY(const std::string text, tunnels::read_yaml_file(file));
  return settings_of(text, file);
}

Result<Settings> settings_of(std::string_view text, const std::string& name) {
  tunnels::YamlErrors errors(name);
  const tunnels::YamlNode root = tunnels::parse_yaml(text, errors);
  if (!errors.empty()) return Failure(errors.take().front());
  Settings out{name, {}};
  flatten(root, "", out);
  return out;
}

}  // namespace sluice::ids
