// SPDX-License-Identifier: Apache-2.0
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "inspect/dpi/policy.h"

namespace sluice::inspect {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

// Levenshtein distance without regard to case.
size_t distance(std::string_view left, std::string_view right) {
  const std::string a = lower(left);
  const std::string b = lower(right);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

constexpr size_t kNameLengthMax = 64;  // longer than any name of nDPI

// "; did you mean X?", or nothing if no name is near.
std::string suggestion(std::string_view wrong, const std::vector<std::string>& names) {
  if (wrong.size() > kNameLengthMax) return {};
  size_t best = std::max<size_t>(wrong.size() / 3, 1) + 1;
  const std::string* nearest = nullptr;
  for (const std::string& name : names) {
    const size_t d = name.empty() || name == wrong ? best : distance(wrong, name);
    if (d < best) {
      best = d;
      nearest = &name;
    }
  }
  return nearest == nullptr ? std::string() : "; did you mean " + *nearest + "?";
}

std::optional<uint16_t> index_of(std::string_view name, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (name.empty() || found == names.end()) return std::nullopt;
  return static_cast<uint16_t>(found - names.begin());
}

std::string scalar_of(const YAML::Node& node) {
  return node.IsScalar() ? node.Scalar() : std::string();
}

}  // namespace

// Walks the document once and notes every error with its place.
class PolicyReader {
 public:
  PolicyReader(const std::string& file, const DpiNames& names) : file_(file), names_(names) {}

  Result<Policy> read(const std::string& text) {
    try {
      read_document(YAML::Load(text));
    } catch (const YAML::Exception& exception) {
      error(exception.mark, exception.msg);
    }
    if (errors_.empty()) return std::move(policy_);
    if (error_count_ > kPolicyErrorsMax)
      errors_ +=
          "\n" + file_ + ": and " + std::to_string(error_count_ - kPolicyErrorsMax) + " more";
    return fail(errors_);
  }

 private:
  void error(const YAML::Mark& mark, const std::string& what) {
    if (++error_count_ > kPolicyErrorsMax) return;
    if (!errors_.empty()) errors_ += '\n';
    errors_ += file_;
    if (!mark.is_null())
      errors_ += ':' + std::to_string(mark.line + 1) + ':' + std::to_string(mark.column + 1);
    errors_ += ": " + what;
  }

  // The entries of a mapping, each key once and known.
  template <class Visit>
  void each_key(const YAML::Node& map, std::vector<std::string> known, const Visit& visit) {
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = scalar_of(entry.first);
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        error(entry.first.Mark(),
              "unknown key \"" + key.substr(0, kNameLengthMax) + '"' + suggestion(key, known));
      } else if (!seen.insert(key).second) {
        error(entry.first.Mark(), "key \"" + key + "\" is here twice");
      } else {
        visit(key, entry.second);
      }
    }
  }

  void read_document(const YAML::Node& root) {
    if (!root.IsMap())
      return error(root.Mark(),
                   "the policy must be a mapping with applications, categories, fallback");
    each_key(root, {"applications", "categories", "fallback"},
             [&](const std::string& key, const YAML::Node& node) {
               if (key == "fallback") {
                 if (const auto action = read_action(node)) policy_.fallback_.action = *action;
               } else {
                 read_rules(node, key == "applications");
               }
             });
  }

  void read_rules(const YAML::Node& list, bool applications) {
    if (!list.IsSequence()) return error(list.Mark(), "must be a list of {name, action}");
    for (const auto& item : list) {
      if (!item.IsMap()) {
        error(item.Mark(), "must be {name: ..., action: allow, drop or reject}");
        continue;
      }
      YAML::Node name;
      std::optional<PolicyAction> action;
      bool has_action = false;
      each_key(item, {"name", "action"}, [&](const std::string& key, const YAML::Node& node) {
        if (key == "name") return name.reset(node);
        has_action = true;
        action = read_action(node);
      });
      if (!has_action) error(item.Mark(), "has no action");
      if (!name.IsDefined() || name.IsNull()) {
        error(item.Mark(), "has no name");
      } else {
        add_rule(name, action.value_or(PolicyAction::kAllow), applications);
      }
    }
  }

  std::optional<PolicyAction> read_action(const YAML::Node& node) {
    const std::string text = scalar_of(node);
    for (const auto action : {PolicyAction::kAllow, PolicyAction::kDrop, PolicyAction::kReject})
      if (text == policy_action_name(action)) return action;
    error(node.Mark(), "must be allow, drop or reject");
    return std::nullopt;
  }

  void add_rule(const YAML::Node& node, PolicyAction action, bool application) {
    const std::string name = scalar_of(node);
    bool added = false;
    if (application) {
      const auto key = application_key(name, node.Mark());
      if (!key) return;
      added =
          policy_.applications_.emplace(*key, Policy::Rule{action, "application " + name}).second;
      if (action == PolicyAction::kAllow) policy_.allows_an_application_ = true;
    } else {
      const auto index = index_of(name, names_.categories);
      if (!index) return unknown("category", name, node.Mark(), names_.categories);
      added = policy_.categories_.emplace(*index, Policy::Rule{action, "category " + name}).second;
    }
    if (!added) error(node.Mark(), name + " is here twice");
  }

  // "YouTube" or "TLS.YouTube". Names of nDPI may hold a dot themselves (Z39.50), so the whole is
  // tried first.
  std::optional<uint32_t> application_key(const std::string& name, const YAML::Mark& mark) {
    const auto known = [&](std::string_view part) {
      const auto index = index_of(part, names_.applications);
      return index && *index != 0 ? index : std::nullopt;  // 0 is Unknown: the fallback is for that
    };
    if (const auto whole = known(name)) return Policy::key(0, *whole);
    const size_t dot = name.find('.');
    const std::string_view text = name;
    if (dot == std::string::npos) {
      unknown("application", name, mark, names_.applications);
      return std::nullopt;
    }
    const auto master = known(text.substr(0, dot));
    const auto part = known(text.substr(dot + 1));
    if (!master) unknown("application", text.substr(0, dot), mark, names_.applications);
    if (!part) unknown("application", text.substr(dot + 1), mark, names_.applications);
    if (!master || !part) return std::nullopt;
    return Policy::key(*master, *part);
  }

  void unknown(const char* kind, std::string_view name, const YAML::Mark& mark,
               const std::vector<std::string>& names) {
    error(mark, std::string("unknown ") + kind + " \"" +
                    std::string(name.substr(0, kNameLengthMax)) + '"' + suggestion(name, names));
  }

  const std::string& file_;
  const DpiNames& names_;
  Policy policy_;
  std::string errors_;
  size_t error_count_ = 0;
};

Result<Policy> Policy::parse(const std::string& text, const std::string& file,
                             const DpiNames& names) {
  if (text.size() > kPolicyBytesMax)
    return fail("larger than " + std::to_string(kPolicyBytesMax) + " bytes", file);
  return PolicyReader(file, names).read(text);
}

Result<Policy> Policy::load(const std::string& file, const DpiNames& names) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return fail_errno("cannot open the policy", file);
  std::string text(kPolicyBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return fail_errno("cannot read the policy", file);
  text.resize(static_cast<size_t>(stream.gcount()));
  return parse(text, file, names);
}

}  // namespace sluice::inspect
