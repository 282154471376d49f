// SPDX-License-Identifier: Apache-2.0
// The parameters of an AWS Query request, application/x-www-form-urlencoded:
//
//   Action=CreateRule&Priority=5&Actions.member.1.Type=forward
//
// as a tree: dots separate the names on the way down. Bounded in size, count and depth, and strict:
// a name is given once, escapes are whole, and every value is text that XML can carry back.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tunnels/result.h"

namespace sluice::gateway {

constexpr size_t kFormBytesMax = 1 << 20;
constexpr size_t kFormFieldsMax = 10'000;
constexpr size_t kFormNameMax = 256;
constexpr size_t kFormDepthMax = 12;         // names between dots
constexpr size_t kFormValueMax = 64 * 1024;  // decoded
constexpr size_t kFormIndexDigitsMax = 6;

struct FormNode {
  std::string value;
  bool is_set = false;  // it has a value, which may be empty
  std::map<std::string, FormNode, std::less<>> children;
  mutable bool used = false;  // somebody asked for it (params.h)

  const FormNode* child(std::string_view name) const;
};

// One name or value: "+" is a space, "%41" is "A".
Result<std::string> decode_form_text(std::string_view text, size_t bytes_max);

Result<FormNode> parse_form(std::string_view text);

// The elements of a list in the order of their numbers, which need not follow on each other: of
// "X.member.1" (ELBv2, STS) as of "X.1" (EC2). An error for a name that is no number.
Result<std::vector<const FormNode*>> form_list(const FormNode& node);

// Valid UTF-8 of characters that XML 1.0 has.
bool is_xml_text(std::string_view text);

}  // namespace sluice::gateway
