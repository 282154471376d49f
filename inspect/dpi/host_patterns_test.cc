// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/host_patterns.h"

#include <gtest/gtest.h>

#include <thread>

namespace sluice::inspect {
namespace {

// The numbers of the patterns that match, in order.
std::string found(const std::vector<std::string>& patterns, std::string_view host) {
  HostPatterns hosts;
  for (size_t i = 0; i < patterns.size(); i++)
    EXPECT_TRUE(hosts.add(patterns[i], static_cast<uint16_t>(i))) << patterns[i];
  EXPECT_TRUE(hosts.compile());
  const HostSets sets = hosts.find(host);
  std::string text;
  for (size_t i = 0; i < patterns.size(); i++)
    if (sets[i]) text += std::to_string(i);
  return text;
}

TEST(HostPatterns, WhatMatches) {
  const std::vector<std::string> patterns = {"example.com", "*.example.com", "/^cdn[0-9]+\\./",
                                             "/ads/", "xn--bcher-kva.example"};
  EXPECT_EQ(found(patterns, "example.com"), "0");
  EXPECT_EQ(found(patterns, "EXAMPLE.com."), "0");
  EXPECT_EQ(found(patterns, "www.example.com"), "1");
  EXPECT_EQ(found(patterns, "a.b.example.com"), "1");
  EXPECT_EQ(found(patterns, ".example.com"), "");
  EXPECT_EQ(found(patterns, "notexample.com"), "");
  EXPECT_EQ(found(patterns, "exampleXcom"), "");
  EXPECT_EQ(found(patterns, "www.example.com.evil.test"), "");
  EXPECT_EQ(found(patterns, "example.com\n"), "");
  EXPECT_EQ(found(patterns, "www.example.com\n"), "");
  EXPECT_EQ(found(patterns, "cdn12.test"), "2");
  EXPECT_EQ(found(patterns, "cdn7.ads.example.com"), "123");
  EXPECT_EQ(found(patterns, "XN--BCHER-KVA.example"), "4");
  EXPECT_EQ(found(patterns, ""), "");
  EXPECT_EQ(found(patterns, "."), "");
  EXPECT_EQ(found(patterns, std::string("a\0example.com", 13)), "");
  EXPECT_EQ(found(patterns, std::string(5000, 'a')), "");
  EXPECT_EQ(found({}, "example.com"), "");
  // The end of a name is no character of it.
  EXPECT_EQ(found({"/com$/", "/com[^x]/", "/com.*$/", "/^a\\.com$/", "/./"}, "a.com"), "0234");
}

TEST(HostPatterns, SeveralPatternsOfOneSet) {
  HostPatterns hosts;
  EXPECT_TRUE(hosts.add("a.test", 999));
  EXPECT_TRUE(hosts.add("*.test", 999));
  EXPECT_TRUE(hosts.compile());
  EXPECT_EQ(hosts.size(), 2u);
  EXPECT_TRUE(hosts.find("a.test")[999]);
  EXPECT_EQ(hosts.find("b").count(), 0u);
}

// One thread's working memory serves databases of different sizes, also when one takes another's
// place.
TEST(HostPatterns, ThreadsAndReloads) {
  const auto use = [] {
    for (const int count : {1, 40, 3}) {
      HostPatterns hosts;
      for (int i = 0; i < count; i++)
        ASSERT_TRUE(hosts.add("/h" + std::to_string(i) + "[a-z]+x$/", 0));
      ASSERT_TRUE(hosts.compile());
      EXPECT_TRUE(hosts.find("h0abcx")[0]);
      EXPECT_FALSE(hosts.find("h0abc")[0]);
    }
  };
  std::thread one(use), two(use);
  one.join();
  two.join();
}

}  // namespace
}  // namespace sluice::inspect
