// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/database_cache.h"

#include <fcntl.h>
#include <hs.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace sluice::inspect {
namespace {

using Digest = std::array<uint8_t, 32>;

// What a file begins with; then the digest of the rest, and the rest.
constexpr std::string_view kMagic = "sluice hyperscan 1\n";
constexpr size_t kHeaderBytes = kMagic.size() + sizeof(Digest);

Digest digest_of(std::initializer_list<std::span<const uint8_t>> parts) {
  Digest digest;
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  SLUICE_CHECK(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  for (const auto part : parts) EVP_DigestUpdate(context.get(), part.data(), part.size());
  SLUICE_CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// Hyperscan trusts what it is given, so nobody else may have written it.
bool is_ours(const struct stat& status) {
  return (status.st_uid == geteuid() || status.st_uid == 0) &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// Empty if it is not to be used.
std::vector<uint8_t> read_whole(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || !is_ours(status)) return {};
  const auto size = static_cast<size_t>(status.st_size);
  if (size < kHeaderBytes || size > DatabaseCache::kDatabaseBytesMax) return {};
  std::vector<uint8_t> bytes(size);
  for (size_t have = 0; have < size;) {
    const ssize_t more = read(fd, &bytes[have], size - have);
    if (more <= 0) return {};
    have += static_cast<size_t>(more);
  }
  return bytes;
}

DatabaseCache::Database unpacked(std::span<const uint8_t> bytes) {
  if (bytes.size() < kHeaderBytes || memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return nullptr;
  const auto content = bytes.subspan(kHeaderBytes);
  const Digest digest = digest_of({content});
  if (memcmp(&bytes[kMagic.size()], digest.data(), digest.size()) != 0) return nullptr;
  hs_database_t* database = nullptr;
  const auto status = hs_deserialize_database(reinterpret_cast<const char*>(content.data()),
                                              content.size(), &database);
  return DatabaseCache::Database(status == HS_SUCCESS ? database : nullptr);
}

}  // namespace

void DatabaseCache::Free::operator()(hs_database* database) const { hs_free_database(database); }

Result<DatabaseCache> DatabaseCache::open(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("cannot make the cache directory", directory);
  struct stat status {};
  if (stat(directory.c_str(), &status) != 0)
    return fail_errno("cannot use the cache directory", directory);
  if (!S_ISDIR(status.st_mode)) return fail("is not a directory", directory);
  if (!is_ours(status))
    return fail(
        "the cache directory must be this user's or root's and nobody else may write it: chown "
        "it, chmod go-w it, or name another",
        directory);
  return DatabaseCache(directory);
}

std::string DatabaseCache::key(std::span<const uint8_t> input) {
  hs_platform_info_t platform{};
  SLUICE_CHECK(hs_populate_platform(&platform) == HS_SUCCESS);
  const std::string about = std::string(hs_version()) + "/" + std::to_string(platform.tune) + "/" +
                            std::to_string(platform.cpu_features) + "/";
  static constexpr char kHex[] = "0123456789abcdef";
  std::string name;
  for (const uint8_t byte : digest_of({bytes_of(about), input})) {
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name;
}

DatabaseCache::Database DatabaseCache::load(const std::string& key) {
  const File file(::open((directory_ + "/" + key).c_str(),
                         O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));  // it may be a FIFO
  if (file.fd() < 0 && errno == ENOENT) {
    counters_.misses++;
    return nullptr;
  }
  Database database = file.fd() < 0 ? nullptr : unpacked(read_whole(file.fd()));
  (database ? counters_.hits : counters_.ignored)++;
  return database;
}

void DatabaseCache::store(const std::string& key, const hs_database* database) {
  char* content = nullptr;
  size_t size = 0;
  if (hs_serialize_database(database, &content, &size) != HS_SUCCESS) {
    counters_.not_written++;
    return;
  }
  const std::unique_ptr<char, void (*)(void*)> owner(content, free);
  const std::span data(reinterpret_cast<const uint8_t*>(content), size);
  const Digest digest = digest_of({data});
  std::vector<uint8_t> bytes(kMagic.begin(), kMagic.end());
  bytes.insert(bytes.end(), digest.begin(), digest.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  if (!write(directory_ + "/" + key, bytes)) counters_.not_written++;
}

// Whole or not at all: another program may be reading it, or writing it too.
bool DatabaseCache::write(const std::string& path, std::span<const uint8_t> bytes) const {
  std::string temporary = directory_ + "/.new-XXXXXX";
  const File file(mkostemp(temporary.data(), O_CLOEXEC));
  if (file.fd() < 0) return false;
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t more = ::write(file.fd(), &bytes[have], bytes.size() - have);
    if (more <= 0) break;
    have += static_cast<size_t>(more);
  }
  if (have == bytes.size() && rename(temporary.c_str(), path.c_str()) == 0) return true;
  unlink(temporary.c_str());
  return false;
}

}  // namespace sluice::inspect
