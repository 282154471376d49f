// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/target_list.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "gateway/control/discover.h"
#include "gateway/control/validate.h"
#include "gateway/proxy/socket.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {
namespace {

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, std::min(line.find('#'), line.size()));
  constexpr const char* kSpace = " \t\r";
  const size_t begin = line.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kSpace) + 1 - begin);
}

Failure too_many(const std::string& path) {
  return fail("more than " + std::to_string(kTargetsPerGroupMax) + " targets", path);
}

Result<std::vector<Target>> parse_lines(std::string_view text, const std::string& path) {
  std::vector<Target> out;
  bool empty_list = false;
  for (size_t number = 1; !text.empty(); number++) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    empty_list |= line == "[]";
    if (line.empty() || line == "[]") continue;
    const auto target = parse_target(line, 0);
    if (!target) return fail(target.error().what, path + ":" + std::to_string(number));
    if (out.size() >= kTargetsPerGroupMax) return too_many(path);
    out.push_back(*target);
  }
  if (out.empty() && !empty_list) return fail("no target in it; write [] for none", path);
  return out;
}

// The first error, in words that repeat nothing of the text.
Error without_text(const std::vector<Error>& errors) {
  return {"no list of targets such as `- {id: 10.9.0.11, port: 80}` ([] for none)",
          errors.front().where,
          {}};
}

Result<std::vector<Target>> parse_yaml_list(std::string_view text, const std::string& path) {
  tunnels::YamlErrors errors(path);
  const tunnels::YamlNode root = tunnels::parse_yaml(text, errors);
  std::vector<Target> out;
  if (errors.empty())
    tunnels::each_yaml(root, errors, kTargetsPerGroupMax, [&](const tunnels::YamlNode& node) {
      tunnels::YamlMap map(node, errors);
      std::string id;
      Target target;
      if (map.require_string("id", id)) {
        const auto address = parse_ip_address(id);
        if (address)
          target.address = *address;
        else
          errors.add(node, "no IP address");
      }
      map.read_integer("port", target.port, 1, 65535);
      map.finish();
      out.push_back(target);
    });
  if (errors.empty()) return out;
  return tl::make_unexpected(without_text(errors.take()));
}

}  // namespace

bool is_yaml_path(std::string_view path) {
  return path.ends_with(".yaml") || path.ends_with(".yml");
}

Result<std::vector<Target>> parse_target_list(std::string_view text, const std::string& path) {
  return is_yaml_path(path) ? parse_yaml_list(text, path) : parse_lines(text, path);
}

Result<std::vector<Target>> read_target_list(const std::string& path) {
  // O_NONBLOCK: a pipe without a writer must not stop the daemon.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail_errno("cannot be read", path);
  if (!S_ISREG(status.st_mode)) return fail("no regular file", path);
  std::string text(kTargetListBytesMax + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
    if (count < 0) return fail_errno("cannot be read", path);
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  if (size > kTargetListBytesMax) return fail("longer than 1 MiB", path);
  text.resize(size);
  return parse_target_list(text, path);
}

}  // namespace sluice::gateway
