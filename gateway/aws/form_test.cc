// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/form.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

std::string value(const FormNode& root, std::initializer_list<const char*> path) {
  const FormNode* node = &root;
  for (const char* name : path) {
    node = node->child(name);
    if (node == nullptr) return "(none)";
  }
  return node->is_set ? node->value : "(unset)";
}

std::string error_of(const std::string& text) {
  const auto form = parse_form(text);
  return form ? "" : form.error().what;
}

TEST(FormTest, ReadsNamesValuesAndTheirTree) {
  const auto form = parse_form(
      "Action=CreateRule&Tags.member.1.Key=a+b%20c&Tags.member.1.Value=%C3%BC%3D%26&Empty=&Bare&&");
  ASSERT_TRUE(form);
  EXPECT_EQ(value(*form, {"Action"}), "CreateRule");
  EXPECT_EQ(value(*form, {"Tags", "member", "1", "Key"}), "a b c");
  EXPECT_EQ(value(*form, {"Tags", "member", "1", "Value"}), "\xc3\xbc=&");
  EXPECT_EQ(value(*form, {"Empty"}), "");
  EXPECT_EQ(value(*form, {"Bare"}), "");
  EXPECT_EQ(value(*form, {"Tags"}), "(unset)");
  EXPECT_EQ(value(*form, {"Missing"}), "(none)");
}

TEST(FormTest, ListsAreSortedByNumber) {
  const auto form = parse_form("A.member.10=j&A.member.2=b&A.member.1=a&B.3=z&B.1=x&C=");
  ASSERT_TRUE(form);
  for (const auto& [name, wanted] :
       {std::pair{"A", "abj"}, std::pair{"B", "xz"}, std::pair{"C", ""}}) {
    const auto list = form_list(*form->child(name));
    ASSERT_TRUE(list) << name;
    std::string all;
    for (const FormNode* element : *list) all += element->value;
    EXPECT_EQ(all, wanted);
  }
  for (const char* bad : {"A.x=1", "A.01=1", "A.-1=1", "A.1x=1", "A.1234567=1", "A.0=1",
                          "A.member.1=1&A.2=1", "A.member.x=1"}) {
    const auto broken = parse_form(bad);
    ASSERT_TRUE(broken) << bad;
    EXPECT_FALSE(form_list(*broken->child("A"))) << bad;
  }
}

TEST(FormTest, WhatIsAmbiguousOrBrokenIsRefused) {
  EXPECT_EQ(error_of("A=1&A=2"), "the parameter 'A' is given twice");
  EXPECT_EQ(error_of("A.B=1&A.B=1"), "the parameter 'A.B' is given twice");
  EXPECT_EQ(error_of("A=1&%41=2"), "the parameter 'A' is given twice");
  for (const char* bad : {"A=%", "A=%4", "A=%4g", "%=1", "A=%zz"})
    EXPECT_NE(error_of(bad).find("'%'"), std::string::npos) << bad;
  for (const char* bad : {".A=1", "A.=1", "A..B=1", "=1", "."})
    EXPECT_NE(error_of(bad).find("is no name"), std::string::npos) << bad;
  for (const char* bad : {"A=%00", "A=%01", "A=%0b", "A=%7f", "A=%ff", "A=%c0%80", "A=%ed%a0%80",
                          "A=%e0%80%80", "A=%f4%90%80%80", "A=%c3", "A=%ef%bf%bf", "%80=1"})
    EXPECT_NE(error_of(bad).find("UTF-8"), std::string::npos) << bad;
  EXPECT_EQ(error_of("A=%f0%9f%8c%8a%09%0a%0d"), "");
}

TEST(FormTest, EveryLimitHolds) {
  std::string many;
  for (size_t i = 0; i < kFormFieldsMax; i++) many += "A." + std::to_string(i + 1) + "=&";
  EXPECT_EQ(error_of(many), "");
  EXPECT_EQ(error_of(many + "B="), "there are too many parameters");
  std::string deep = "A";
  for (size_t i = 1; i < kFormDepthMax; i++) deep += ".A";
  EXPECT_EQ(error_of(deep + "=1"), "");
  EXPECT_NE(error_of(deep + ".A=1"), "");
  EXPECT_EQ(error_of(std::string(kFormNameMax, 'n') + "=1"), "");
  EXPECT_EQ(error_of(std::string(kFormNameMax + 1, 'n') + "=1"), "a name or value is too long");
  EXPECT_EQ(error_of("A=" + std::string(kFormValueMax, 'v')), "");
  EXPECT_EQ(error_of("A=" + std::string(kFormValueMax + 1, 'v')), "a name or value is too long");
  EXPECT_EQ(error_of("A=" + std::string(kFormBytesMax, 'v')), "the request is too long");
}

TEST(FormTest, CutAtEveryByteItAnswersWithoutReadingPastTheEnd) {
  const std::string whole = "Action=X&A.member.1.B=%C3%BC+%2F&A.member.2.B=c&Version=2015-12-01";
  for (size_t cut = 0; cut <= whole.size(); cut++) {
    const std::string part = whole.substr(0, cut);
    const std::unique_ptr<char[]> exact(new char[part.size()]);
    part.copy(exact.get(), part.size());
    const auto form = parse_form({exact.get(), part.size()});
    const size_t percent = part.rfind('%');
    const bool in_escape = percent != std::string::npos && part.size() - percent < 3;
    const bool in_character = part.ends_with("%C3");
    EXPECT_EQ(form.has_value(), !in_escape && !in_character && !part.ends_with('.')) << part;
  }
}

}  // namespace
}  // namespace sluice::gateway
