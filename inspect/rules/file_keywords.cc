// SPDX-License-Identifier: Apache-2.0
// Files that pass inside transactions: filename, fileext, filesize, filemd5, filesha1, filesha256.
// Suricata userguide, "File Keywords". Size and digests are known when a file has ended.
#include <algorithm>
#include <unordered_set>

#include "inspect/app/tracked_file.h"
#include "inspect/rules/condition.h"
#include "inspect/rules/dataset.h"
#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

// Digests in one list.
constexpr size_t kDigestsMax = 1 << 20;

Result<> add_to_name(RuleDraft& draft, std::string_view value, bool extension) {
  Content content;
  content.negated = value.starts_with('!');
  content.nocase = true;
  content.ends = extension;
  SLUICE_TRY(content.bytes, quoted_text(value.substr(content.negated ? 1 : 0)));
  if (content.bytes.empty()) return fail("needs a text");
  if (extension) content.bytes.insert(0, ".");
  for (char& c : content.bytes) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  draft.rule.parts[draft.part_of(Buffer::kFileName)].matches.emplace_back(std::move(content));
  return {};
}

Result<> apply_filename(RuleDraft& draft, std::string_view value) {
  return add_to_name(draft, value, false);
}
Result<> apply_fileext(RuleDraft& draft, std::string_view value) {
  return add_to_name(draft, value, true);
}

// A file that was broken off has at least the size that was seen.
class FileSizeCondition final : public Condition {
 public:
  explicit FileSizeCondition(const SizeRange& range) : range_(range) {}
  bool holds(const RuleContext& context) const override {
    if (context.file == nullptr) return false;
    const uint64_t size = context.file->size();
    return context.file->is_whole() ? range_.contains(size) : range_.contains_all_from(size);
  }
  bool about_file() const override { return true; }

 private:
  const SizeRange range_;
};

Result<> apply_filesize(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, UINT32_MAX - 1));
  draft.rule.conditions.push_back(std::make_shared<FileSizeCondition>(range));
  return {};
}

using Digests = std::unordered_set<std::string>;

// Only of a file that was whole.
class DigestCondition final : public Condition {
 public:
  DigestCondition(FileHash hash, Digests digests, bool negated)
      : hash_(hash), digests_(std::move(digests)), negated_(negated) {}
  bool holds(const RuleContext& context) const override {
    if (context.file == nullptr || !context.file->is_whole()) return false;
    const std::string& digest = context.file->digest(hash_);
    return !digest.empty() && digests_.contains(digest) != negated_;
  }
  bool about_file() const override { return true; }
  std::optional<FileHash> about_digest() const override { return hash_; }

 private:
  const FileHash hash_;
  const Digests digests_;
  const bool negated_;
};

// A line each, in hexadecimal; what follows behind a blank is a comment.
Result<Digests> read_digests(std::string_view text, const std::string& file, size_t length) {
  Digests out;
  for (int line = 1; !text.empty(); line++) {
    std::string_view entry = trimmed_option(take_line(text));
    if (entry.empty() || entry.front() == '#') continue;
    std::string digest(take_part(entry, ' '));
    for (char& c : digest) c = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
    const bool hex = std::ranges::all_of(digest, [](char c) { return hex_digit(c) >= 0; });
    if (!hex || digest.size() != length)
      return fail(file + ":" + std::to_string(line) + ": not such a digest");
    if (out.size() == kDigestsMax) return fail(file + ": more than 1048576 digests");
    out.insert(std::move(digest));
  }
  return out;
}

// [!]FILE
Result<> apply_digest(RuleDraft& draft, std::string_view value, FileHash hash, size_t length) {
  if (draft.sources.datasets == nullptr) return fail("there are no files here");
  const bool negated = value.starts_with('!');
  const std::string file(trimmed_option(value.substr(negated ? 1 : 0)));
  SLUICE_TRY(const std::string text, draft.sources.datasets->read_file(file));
  SLUICE_TRY(Digests digests, read_digests(text, file, length));
  draft.rule.conditions.push_back(
      std::make_shared<DigestCondition>(hash, std::move(digests), negated));
  return {};
}

Result<> apply_filemd5(RuleDraft& draft, std::string_view value) {
  return apply_digest(draft, value, FileHash::kMd5, 32);
}
Result<> apply_filesha1(RuleDraft& draft, std::string_view value) {
  return apply_digest(draft, value, FileHash::kSha1, 40);
}
Result<> apply_filesha256(RuleDraft& draft, std::string_view value) {
  return apply_digest(draft, value, FileHash::kSha256, 64);
}

constexpr Keyword kKeywords[] = {
    {"filename", KeywordValue::kRequired, apply_filename, "the name of a file has this text in it"},
    {"fileext", KeywordValue::kRequired, apply_fileext, "the name of a file ends so, behind a dot"},
    {"filesize", KeywordValue::kRequired, apply_filesize, "the size of a file that has ended"},
    {"filemd5", KeywordValue::kRequired, apply_filemd5,
     "the MD5 of a whole file is in a list of --data-dir; ! : it is not"},
    {"filesha1", KeywordValue::kRequired, apply_filesha1, "... the SHA-1"},
    {"filesha256", KeywordValue::kRequired, apply_filesha256, "... the SHA-256"},
};

}  // namespace

std::span<const Keyword> file_keywords() { return kKeywords; }

}  // namespace sluice::inspect
