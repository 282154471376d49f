// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/store.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gateway/store/schema.h"

namespace sluice::gateway {
namespace {

constexpr auto kGroup = ObjectKind::kTargetGroup;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    char name[] = "/tmp/sluice-store-XXXXXX";
    directory = mkdtemp(name);
    path = directory + "/state.db";
  }
  ~StoreTest() override { std::filesystem::remove_all(directory); }
  std::unique_ptr<Store> open() {
    auto store = Store::open(path);
    EXPECT_TRUE(store) << store.error().text();
    return store ? std::move(*store) : nullptr;
  }
  std::string open_error() {
    auto store = Store::open(path);
    return store ? "" : store.error().text();
  }
  void execute(const std::string& sql) {
    auto database = Database::open(path);
    ASSERT_TRUE(database) << database.error().text();
    auto done = (*database)->execute(sql.c_str());
    ASSERT_TRUE(done) << done.error().text();
  }
  std::string directory, path;
};

Result<> put(Store& store, const std::vector<ObjectChange>& changes, std::string_view digest = {}) {
  SLUICE_TRY_VOID(store.prepare({1000 + store.generation(), "test", digest}, changes));
  return store.commit();
}

TEST_F(StoreTest, KeepsObjectsAndTheirHistory) {
  {
    auto store = open();
    EXPECT_EQ(store->generation(), 0u);
    ASSERT_TRUE(put(*store, {{kGroup, "a", "", "1"}, {kGroup, "b", "", "2"}}, "digest"));
    ASSERT_TRUE(put(*store, {{kGroup, "a", "1", "3"}}));
    ASSERT_TRUE(put(*store, {{kGroup, "b", "2", ""}, {ObjectKind::kAttachment, "c", "", "4"}}));
  }
  auto store = open();
  EXPECT_EQ(store->generation(), 3u);
  EXPECT_EQ(*store->file_digest(), "digest");
  const std::vector<StoredObject> expected{{ObjectKind::kAttachment, "c", "4"}, {kGroup, "a", "3"}};
  EXPECT_EQ(*store->objects(), expected);
  const auto history = *store->history(2);
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].number, 3u);
  EXPECT_EQ(history[0].time_ms, 1002u);
  EXPECT_EQ(history[0].author, "test");
  EXPECT_EQ(history[0].summary, "-target_group b, +attachment c");
  const std::vector<ObjectChange> from_1{
      {kGroup, "a", "1", "3"}, {kGroup, "b", "2", ""}, {ObjectKind::kAttachment, "c", "", "4"}};
  EXPECT_EQ(*store->changes(1, 3), from_1);
  const std::vector<ObjectChange> back{{kGroup, "a", "3", "1"}};
  EXPECT_EQ(*store->changes(2, 1), back);
  EXPECT_EQ(store->changes(0, 3)->size(), 2u) << "b came and went";
  EXPECT_EQ(store->changes(0, 4).error().text(), "there is no generation 4; 0 to 3 are kept");
}

TEST_F(StoreTest, WhatIsNotCommittedIsForgotten) {
  {
    auto store = open();
    ASSERT_TRUE(put(*store, {{kGroup, "a", "", "1"}}));
    ASSERT_TRUE(store->prepare({}, {{kGroup, "a", "1", "2"}}));
    store->cancel();
    EXPECT_EQ(store->generation(), 1u);
    ASSERT_TRUE(store->prepare({}, {{kGroup, "a", "1", "3"}}));
  }
  EXPECT_EQ((*open()->objects())[0].json, "1");
}

TEST_F(StoreTest, HistoryIsBounded) {
  path = ":memory:";
  auto store = open();
  for (uint64_t i = 0; i < kGenerationsMax + 5; i++)
    ASSERT_TRUE(put(*store, {{kGroup, "a", std::to_string(i), std::to_string(i + 1)}}));
  EXPECT_EQ(store->history(UINT64_MAX)->size(), kGenerationsMax);
  EXPECT_TRUE(store->changes(5, store->generation()));
  EXPECT_EQ(store->changes(4, 5).error().text(), "there is no generation 4; 5 to 10005 are kept");
}

// A generation of 20 KB that changes the object once more.
Result<> change(Store& store) {
  const std::string text(10'000, 'x'), other(10'000, 'y');
  const bool odd = store.generation() % 2 != 0;
  return put(store, {{kGroup, "a", odd ? text : other, odd ? other : text}});
}

TEST_F(StoreTest, HistoryIsBoundedByBytesToo) {
  {
    auto store = std::move(*Store::open(path, 100'000));
    for (int i = 0; i < 8; i++) ASSERT_TRUE(change(*store));
    EXPECT_EQ(store->history(UINT64_MAX)->size(), 5u);
    EXPECT_EQ(store->changes(2, 8).error().text(), "there is no generation 2; 3 to 8 are kept");
    EXPECT_TRUE(store->changes(3, 8));
  }
  auto again = std::move(*Store::open(path, 100'000));
  EXPECT_TRUE(again->changes(3, 8));
  ASSERT_TRUE(change(*again));
  EXPECT_EQ(again->history(UINT64_MAX)->size(), 5u);
  EXPECT_FALSE(again->changes(3, 9));
}

TEST_F(StoreTest, HistoryInMemoryIsSmall) {
  path = ":memory:";
  auto store = open();
  for (int i = 0; i < 2000; i++) ASSERT_TRUE(change(*store));
  EXPECT_EQ(store->history(UINT64_MAX)->size(), kHistoryBytesInMemoryMax / 20'000);
}

TEST_F(StoreTest, TheNewestGenerationIsKeptHoweverLarge) {
  path = ":memory:";
  auto store = open();
  const std::string text(40 << 20, 'x');
  ASSERT_TRUE(put(*store, {{kGroup, "a", "", "1"}}));
  ASSERT_TRUE(put(*store, {{kGroup, "a", "1", text}}));
  EXPECT_EQ(store->history(UINT64_MAX)->size(), 1u);
  EXPECT_TRUE(store->changes(2, 1));
  ASSERT_TRUE(store->prepare({}, {{kGroup, "a", text, "2"}}));
  store->cancel();
  EXPECT_TRUE(store->changes(2, 1)) << "what was not committed has taken nothing away";
}

TEST_F(StoreTest, FilesThatCannotBeUsedAreRefusedByName) {
  {
    auto store = open();
    EXPECT_NE(open_error().find("another process uses it"), std::string::npos) << open_error();
  }
  execute("PRAGMA user_version = 7");
  EXPECT_EQ(open_error(),
            path + ": the store was written by a newer version: schema 7, and this one knows " +
                std::to_string(kSchemaVersion));
  execute("PRAGMA user_version = 0; PRAGMA application_id = 5");
  EXPECT_EQ(open_error(), path + ": the file is a database of another program");
  std::ofstream(path, std::ios::trunc) << std::string(8192, 'x');
  EXPECT_NE(open_error().find("corrupt or no database"), std::string::npos) << open_error();
  path = directory + "/nowhere";
  std::filesystem::create_directory(path);
  EXPECT_NE(open_error().find("it cannot be opened"), std::string::npos) << open_error();
}

TEST_F(StoreTest, ADamagedPageIsFoundAtTheStart) {
  {
    auto store = open();
    for (int i = 0; i < 40; i++)
      ASSERT_TRUE(put(*store, {{kGroup, std::to_string(i), "", std::string(400, 'x')}}));
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (int page = 1; page < 8; page++) {
    file.seekp(page * 4096);
    file << std::string(64, '\xff');
  }
  file.close();
  EXPECT_EQ(open_error(), path +
                              ": cannot use the store: it is corrupt; move it away to begin "
                              "anew from the configuration file");
}

// A file system of its own, so that it can be full or read-only without harm.
class SmallDiskTest : public StoreTest {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", directory.c_str(), "tmpfs", 0, "size=256k") != 0)
      GTEST_SKIP() << "needs a mount namespace";
    mounted = true;
  }
  void TearDown() override {
    if (mounted) ::umount2(directory.c_str(), MNT_DETACH);
  }
  bool mounted = false;
};

TEST_F(SmallDiskTest, AFullDiskRefusesTheChangeAndKeepsTheState) {
  auto store = open();
  ASSERT_TRUE(put(*store, {{kGroup, "a", "", "1"}}));
  const auto refused = put(*store, {{kGroup, "a", "1", std::string(400'000, 'x')}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("the disk is full"), std::string::npos)
      << refused.error().text();
  EXPECT_EQ(store->generation(), 1u);
  EXPECT_EQ((*store->objects())[0].json, "1");
  ASSERT_TRUE(put(*store, {{kGroup, "a", "1", "2"}}));
  store.reset();
  EXPECT_EQ((*open()->objects())[0].json, "2");
}

TEST_F(SmallDiskTest, AReadOnlyDiskIsSaid) {
  open().reset();
  ASSERT_EQ(::mount("none", directory.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  EXPECT_NE(open_error().find("it is read-only"), std::string::npos) << open_error();
}

// fixtures/vN.sql: a store as version N left it.
TEST_F(StoreTest, EveryReleasedVersionIsMigrated) {
  for (int version = 1; version <= kSchemaVersion; version++) {
    SCOPED_TRACE(version);
    std::filesystem::remove(path);
    std::ifstream file(SLUICE_SOURCE_DIR "/gateway/store/fixtures/v" + std::to_string(version) +
                       ".sql");
    std::stringstream sql;
    sql << file.rdbuf();
    ASSERT_FALSE(sql.str().empty());
    execute(sql.str());
    auto store = open();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->generation(), 2u);
    EXPECT_EQ(*store->file_digest(), "0123456789abcdef");
    const std::vector<StoredObject> objects{{kGroup, "ids", R"({"name":"ids"})"}};
    EXPECT_EQ(*store->objects(), objects);
    const std::vector<ObjectChange> first{{kGroup, "echo", "", R"({"name":"echo"})"},
                                          {kGroup, "ids", "", R"({"name":"ids"})"}};
    EXPECT_EQ(*store->changes(0, 1), first);
    ASSERT_TRUE(put(*store, {{kGroup, "ids", R"({"name":"ids"})", ""}}));
  }
}

}  // namespace
}  // namespace sluice::gateway
