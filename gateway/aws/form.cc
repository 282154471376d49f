// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/form.h"

#include <algorithm>
#include <charconv>

namespace sluice::gateway {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The place of `name` in the tree, made if it is not there. Null for a name that is no path.
FormNode* descend(FormNode& root, std::string_view name) {
  FormNode* node = &root;
  for (size_t depth = 0; depth < kFormDepthMax; depth++) {
    const size_t dot = std::min(name.find('.'), name.size());
    if (dot == 0) return nullptr;
    node = &node->children[std::string(name.substr(0, dot))];
    if (dot == name.size()) return node;
    name.remove_prefix(dot + 1);
  }
  return nullptr;
}

// The length of the UTF-8 sequence that `text` starts with, 0 for none; and its code point.
size_t utf8_length(std::string_view text, uint32_t& code) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  const size_t length = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  if (length == 0 || length > text.size()) return 0;
  constexpr uint8_t kMask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  code = first & kMask[length];
  for (size_t i = 1; i < length; i++) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  return overlong ? 0 : length;
}

}  // namespace

const FormNode* FormNode::child(std::string_view name) const {
  const auto at = children.find(name);
  return at == children.end() ? nullptr : &at->second;
}

bool is_xml_text(std::string_view text) {
  while (!text.empty()) {
    uint32_t code = 0;
    const size_t length = utf8_length(text, code);
    if (length == 0) return false;
    const bool allowed = code == '\t' || code == '\n' || code == '\r' ||
                         (code >= 0x20 && code != 0x7f && code < 0xd800) ||
                         (code >= 0xe000 && code < 0xfffe) || (code >= 0x10000 && code <= 0x10ffff);
    if (!allowed) return false;
    text.remove_prefix(length);
  }
  return true;
}

Result<std::string> decode_form_text(std::string_view text, size_t bytes_max) {
  std::string out;
  out.reserve(std::min(text.size(), bytes_max));
  for (size_t i = 0; i < text.size(); i++) {
    char c = text[i] == '+' ? ' ' : text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail("a '%' without two hexadecimal digits behind it");
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    if (out.size() >= bytes_max) return fail("a name or value is too long");
    out += c;
  }
  if (!is_xml_text(out))
    return fail("a name or value is not UTF-8 text without control characters");
  return out;
}

Result<FormNode> parse_form(std::string_view text) {
  if (text.size() > kFormBytesMax) return fail("the request is too long");
  FormNode root;
  size_t fields = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (field.empty()) continue;
    if (++fields > kFormFieldsMax) return fail("there are too many parameters");
    const size_t equals = std::min(field.find('='), field.size());
    SLUICE_TRY(const std::string name, decode_form_text(field.substr(0, equals), kFormNameMax));
    SLUICE_TRY(std::string value,
               decode_form_text(field.substr(std::min(equals + 1, field.size())), kFormValueMax));
    FormNode* node = descend(root, name);
    if (node == nullptr) return fail("'" + name + "' is no name of a parameter");
    if (node->is_set) return fail("the parameter '" + name + "' is given twice");
    node->is_set = true;
    node->value = std::move(value);
  }
  return root;
}

Result<std::vector<const FormNode*>> form_list(const FormNode& node) {
  const FormNode* member = node.child("member");
  const FormNode& list = member != nullptr ? *member : node;
  std::vector<std::pair<uint32_t, const FormNode*>> numbered;
  numbered.reserve(list.children.size());
  for (const auto& [name, element] : list.children) {
    uint32_t number = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool whole = error == std::errc() && stop == name.data() + name.size();
    if (!whole || name.size() > kFormIndexDigitsMax || name.front() == '0')
      return fail("'" + name + "' is no number of a list's element");
    numbered.emplace_back(number, &element);
  }
  if (member != nullptr && node.children.size() > 1)
    return fail("a list has more than its elements");
  std::ranges::sort(numbered);
  std::vector<const FormNode*> out;
  out.reserve(numbered.size());
  for (const auto& [number, element] : numbered) out.push_back(element);
  return out;
}

}  // namespace sluice::gateway
