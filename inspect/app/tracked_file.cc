// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/tracked_file.h"

#include <openssl/evp.h>

#include "inspect/eve/json_line.h"

namespace sluice::inspect {

std::string_view file_hash_name(FileHash hash) {
  static constexpr std::string_view kNames[kFileHashes] = {"md5", "sha1", "sha256"};
  return kNames[static_cast<size_t>(hash)];
}

// A digest that OpenSSL does not give (MD5 where only FIPS is allowed) is as one not wanted.
struct TrackedFile::Hasher {
  explicit Hasher(FileHash hash) : context(EVP_MD_CTX_new()) {
    const EVP_MD* kinds[kFileHashes] = {EVP_md5(), EVP_sha1(), EVP_sha256()};
    good = context != nullptr &&
           EVP_DigestInit_ex(context, kinds[static_cast<size_t>(hash)], nullptr) == 1;
  }
  ~Hasher() { EVP_MD_CTX_free(context); }
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void add(std::span<const uint8_t> bytes) {
    good = good && EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1;
  }
  std::string digest() {
    static constexpr char kHex[] = "0123456789abcdef";
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    std::string text;
    if (!good || EVP_DigestFinal_ex(context, bytes, &length) != 1) return text;
    for (const uint8_t byte : std::span(bytes, length)) {
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    }
    return text;
  }

  EVP_MD_CTX* context;
  bool good = false;
};

TrackedFile::TrackedFile(std::string_view name, const FileHashes& hashes) : name_(name) {
  for (size_t i = 0; i < kFileHashes; i++) {
    if (hashes[i]) hashers_[i] = std::make_unique<Hasher>(static_cast<FileHash>(i));
  }
}

TrackedFile::~TrackedFile() = default;
TrackedFile::TrackedFile(TrackedFile&&) noexcept = default;
TrackedFile& TrackedFile::operator=(TrackedFile&&) noexcept = default;

void TrackedFile::content(std::span<const uint8_t> bytes) {
  size_ += bytes.size();
  for (const auto& hasher : hashers_) {
    if (hasher) hasher->add(bytes);
  }
}

void TrackedFile::gap(uint64_t length) {
  size_ += length;
  gaps_ = true;
}

void TrackedFile::end(FileEnd end) {
  state_ = gaps_ || end == FileEnd::kTruncated ? State::kTruncated : State::kClosed;
  for (size_t i = 0; i < kFileHashes; i++) {
    if (hashers_[i]) digests_[i] = hashers_[i]->digest();
    hashers_[i].reset();
  }
}

void TrackedFile::write(JsonLine& line, uint64_t transaction_id) const {
  line.open("fileinfo");
  write_members(line, transaction_id);
  line.close();
}

void TrackedFile::write_element(JsonLine& line, uint64_t transaction_id) const {
  line.element_open();
  write_members(line, transaction_id);
  line.close();
}

void TrackedFile::write_members(JsonLine& line, uint64_t transaction_id) const {
  static constexpr std::string_view kStates[] = {"UNKNOWN", "CLOSED", "TRUNCATED"};
  line.string("filename", name_);
  line.boolean("gaps", gaps_);
  line.string("state", kStates[static_cast<size_t>(state_)]);
  for (size_t i = 0; i < kFileHashes; i++) {
    // As in Suricata: only SHA-256 is told of what is not whole.
    const bool told = state_ == State::kClosed || static_cast<FileHash>(i) == FileHash::kSha256;
    if (told && !digests_[i].empty())
      line.string(file_hash_name(static_cast<FileHash>(i)), digests_[i]);
  }
  line.boolean("stored", false);
  line.unsigned_number("size", size_);
  line.unsigned_number("tx_id", transaction_id);
}

}  // namespace sluice::inspect
