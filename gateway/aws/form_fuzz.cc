// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "gateway/aws/form.h"

namespace {

using namespace sluice::gateway;

size_t walk(const FormNode& node, size_t depth) {
  size_t set = node.is_set ? 1 : 0;
  if (depth > kFormDepthMax || node.value.size() > kFormValueMax || !is_xml_text(node.value))
    __builtin_trap();
  if (const auto list = form_list(node); list && list->size() > kFormFieldsMax) __builtin_trap();
  for (const auto& [name, child] : node.children) set += walk(child, depth + 1);
  return set;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto form = parse_form({reinterpret_cast<const char*>(data), size});
  if (form && walk(*form, 0) > kFormFieldsMax) __builtin_trap();
  return 0;
}
