// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/json_line.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace sluice::inspect {
namespace {

std::string one_string(std::string_view value) {
  JsonLine line;
  line.begin();
  line.string("s", value);
  return std::string(line.finish());
}

TEST(JsonLine, WritesEveryShape) {
  JsonLine line;
  line.begin();
  line.number("minus", -5);
  line.unsigned_number("big", UINT64_MAX);
  line.open("inner");
  line.boolean("yes", true);
  line.boolean("no", false);
  line.close();
  line.open_array("list");
  line.element("a");
  line.element("b");
  line.element_open();
  line.string("k", "v");
  line.close();
  line.close_array();
  line.open("empty");
  line.close();
  EXPECT_EQ(line.finish(),
            "{\"minus\":-5,\"big\":18446744073709551615,\"inner\":{\"yes\":true,\"no\":false},"
            "\"list\":[\"a\",\"b\",{\"k\":\"v\"}],\"empty\":{}}\n");
}

TEST(JsonLine, EscapesWhatJsonMustNotHold) {
  EXPECT_EQ(one_string(std::string_view("a\"\\\n\r\t\0\x1f\x7f/", 10)),
            "{\"s\":\"a\\\"\\\\\\n\\r\\t\\u0000\\u001f\\u007f/\"}\n");
}

TEST(JsonLine, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(one_string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
            "{\"s\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}\n");
  for (const char* bad : {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xc3", "\xe2\x82"}) {
    EXPECT_EQ(utf8_length(bad), 0u) << bad;
    EXPECT_TRUE(nlohmann::json::accept(one_string(bad)));
  }
}

TEST(JsonLine, RandomBytesAreAlwaysValidJson) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; i++) {
    std::string value(random() % 40, '\0');
    for (char& c : value)
      c = static_cast<char>(random() % 3 == 0 ? 0xc0 + random() % 64 : random());
    const auto parsed = nlohmann::json::parse(one_string(value));
    ASSERT_TRUE(parsed.at("s").is_string());
  }
}

TEST(JsonLine, EveryByteAtEveryPlace) {
  for (int byte = 0; byte < 256; byte++) {
    for (size_t at = 0; at < 18; at++) {
      std::string value(18, 'x');
      value[at] = static_cast<char>(byte);
      const std::string expected =
          byte < 0x80 ? value : value.substr(0, at) + "\xef\xbf\xbd" + value.substr(at + 1);
      const auto parsed = nlohmann::json::parse(one_string(value));
      EXPECT_EQ(parsed.begin()->get<std::string>(), expected) << byte << " at " << at;
    }
  }
}

TEST(JsonLine, LongStringsAreCutAtAWholeCharacter) {
  std::string value(kJsonStringMax - 1, 'x');
  value += "\xe2\x82\xac";
  const auto parsed = nlohmann::json::parse(one_string(value));
  EXPECT_EQ(parsed.at("s").get<std::string>(), std::string(kJsonStringMax - 1, 'x'));
}

TEST(JsonLine, WritesBase64) {
  const auto encoded = [](std::string_view text) {
    JsonLine line;
    line.begin();
    line.base64("b", {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    return nlohmann::json::parse(line.finish()).at("b").get<std::string>();
  };
  // RFC 4648 section 10.
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encoded("\xff\xef\xbe"), "/+++");
  EXPECT_EQ(encoded(std::string(2 * kJsonBytesMax, 'a')).size(), (kJsonBytesMax + 2) / 3 * 4);
}

}  // namespace
}  // namespace sluice::inspect
