// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/buffer.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::inspect {
namespace {

TEST(Buffers, EveryNameLeadsToItsBuffer) {
  std::set<std::string_view> names;
  for (const BufferInfo& info : buffer_table()) {
    EXPECT_EQ(&info_of(info.buffer), &info);
    EXPECT_EQ(find_buffer(info.name), &info) << info.name;
    EXPECT_TRUE(info.to_server || info.to_client) << info.name;
    for (const auto name : {info.name, info.old_sticky, info.modifier}) {
      if (!name.empty()) {
        EXPECT_TRUE(names.insert(name).second) << name << " has two buffers";
      }
    }
  }
  EXPECT_EQ(find_buffer("tls_sni")->buffer, Buffer::kTlsSni);
  EXPECT_EQ(find_buffer_of_modifier("http_uri")->buffer, Buffer::kHttpUri);
}

TEST(Buffers, UnknownNamesLeadNowhere) {
  for (const auto name : {"", "http_uri", "http.urii", "HTTP.URI"})
    EXPECT_EQ(find_buffer(name), nullptr);
  for (const auto name : {"", "http.uri", "uricontent"})
    EXPECT_EQ(find_buffer_of_modifier(name), nullptr);
}

}  // namespace
}  // namespace sluice::inspect
