// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/database_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "inspect/match/prefilter.h"

namespace sluice::inspect {
namespace {

class CacheTest : public ::testing::Test {
 protected:
  CacheTest() {
    std::string path = (std::filesystem::temp_directory_path() / "cache-XXXXXX").string();
    directory_ = mkdtemp(path.data());
    cache_ = std::make_unique<DatabaseCache>(*DatabaseCache::open(directory_ + "/databases"));
  }
  ~CacheTest() override { std::filesystem::remove_all(directory_); }

  // A database of kCachedPatternsMin patterns, and whether it finds what it should.
  bool compile(const std::string& word, bool nocase = false) {
    std::vector<Prefilter::Pattern> patterns;
    for (uint32_t i = 0; i < kCachedPatternsMin; i++)
      patterns.push_back({word + std::to_string(i + 1000), nocase, i});
    const auto prefilter = Prefilter::compile(std::move(patterns), cache_.get());
    PrefilterScratch scratch;
    if (!prefilter || !prefilter->prepare(scratch)) return false;
    struct : CandidateSink {
      std::set<uint32_t> rules;
      void candidate(uint32_t rule) override { rules.insert(rule); }
    } found;
    const std::string text = "--" + word + "1007--";
    prefilter->scan({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, scratch, found);
    return found.rules == std::set<uint32_t>{7};
  }
  std::filesystem::path only_file() const {
    return std::filesystem::directory_iterator(directory_ + "/databases")->path();
  }

  std::string directory_;
  std::unique_ptr<DatabaseCache> cache_;
};

TEST_F(CacheTest, ADatabaseIsCompiledOnce) {
  EXPECT_TRUE(compile("attack"));
  EXPECT_TRUE(compile("attack"));
  EXPECT_EQ(cache_->counters().misses, 1u);
  EXPECT_EQ(cache_->counters().hits, 1u);
  // Another text or way to compare it is another database.
  EXPECT_TRUE(compile("others"));
  EXPECT_TRUE(compile("attack", true));
  EXPECT_EQ(cache_->counters().misses, 3u);
  EXPECT_EQ(cache_->counters().hits, 1u);
}

TEST_F(CacheTest, ABrokenFileIsIgnoredAndWrittenAnew) {
  ASSERT_TRUE(compile("attack"));
  const auto path = only_file();
  const auto size = std::filesystem::file_size(path);
  uint64_t ignored = 0;
  for (const uintmax_t length : {uintmax_t{0}, uintmax_t{10}, uintmax_t{51}, size / 2, size - 1}) {
    std::filesystem::resize_file(path, length);
    EXPECT_TRUE(compile("attack")) << length;
    EXPECT_EQ(cache_->counters().ignored, ++ignored) << length;
    ASSERT_EQ(std::filesystem::file_size(path), size) << length;
  }
  for (const uintmax_t at : {uintmax_t{0}, uintmax_t{25}, uintmax_t{60}, size - 1}) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(at));
    const int was = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(was ^ 1));
    file.close();
    EXPECT_TRUE(compile("attack")) << at;
    EXPECT_EQ(cache_->counters().ignored, ++ignored) << at;
  }
  EXPECT_TRUE(compile("attack"));
  EXPECT_EQ(cache_->counters().hits, 1u);
}

TEST_F(CacheTest, AFileThatOthersMayWriteIsIgnored) {
  ASSERT_TRUE(compile("attack"));
  ASSERT_EQ(chmod(only_file().c_str(), 0666), 0);
  EXPECT_TRUE(compile("attack"));
  EXPECT_EQ(cache_->counters().ignored, 1u);
}

TEST_F(CacheTest, ADirectoryThatOthersMayWriteIsRefused) {
  const std::string directory = directory_ + "/databases";
  for (const mode_t mode : {0777, 0775, 0757, 01777}) {
    ASSERT_EQ(chmod(directory.c_str(), mode), 0);
    const auto cache = DatabaseCache::open(directory);
    ASSERT_FALSE(cache) << mode;
    EXPECT_EQ(cache.error().text(),
              directory +
                  ": the cache directory must be this user's or root's and nobody else may write "
                  "it: chown it, chmod go-w it, or name another");
  }
  ASSERT_EQ(chmod(directory.c_str(), 0755), 0);
  EXPECT_TRUE(DatabaseCache::open(directory));
  if (geteuid() != 0) return;
  ASSERT_EQ(chown(directory.c_str(), 65534, 65534), 0);
  EXPECT_FALSE(DatabaseCache::open(directory));
}

TEST_F(CacheTest, NobodyWaitsForAFifo) {
  ASSERT_TRUE(compile("attack"));
  const auto path = only_file();
  std::filesystem::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_TRUE(compile("attack"));
  EXPECT_EQ(cache_->counters().ignored, 1u);
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST_F(CacheTest, WithoutTheDirectoryTheRulesStillCompile) {
  std::filesystem::remove_all(directory_ + "/databases");
  EXPECT_TRUE(compile("attack"));
  EXPECT_EQ(cache_->counters().not_written, 1u);
  std::ofstream(directory_ + "/file") << "x";
  EXPECT_FALSE(DatabaseCache::open(directory_ + "/file"));
  EXPECT_FALSE(DatabaseCache::open(directory_ + "/not/there"));
}

}  // namespace
}  // namespace sluice::inspect
