// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/dataset.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <utility>
#include <vector>

#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

constexpr std::string_view kTypes[] = {"string", "md5", "sha256", "ipv4", "ipv6", "ip"};

// About what an entry costs beside its bytes.
constexpr size_t kEntryBytes = 80;

size_t cost_of(const std::string& value) { return kEntryBytes + value.size(); }

Result<std::string> address_value(std::string_view text) {
  const std::string address(text);
  char bytes[16];
  const bool v4 = text.find(':') == std::string_view::npos;
  if (inet_pton(v4 ? AF_INET : AF_INET6, address.c_str(), bytes) != 1)
    return fail("'" + address + "' is not an address");
  return std::string(bytes, v4 ? 4 : 16);
}

Result<std::string> base64_value(std::string_view text) {
  const bool whole =
      text.size() % 4 == 0 && std::ranges::all_of(text, [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '/' || c == '=';
      });
  if (!whole) return fail("not the base64 of a string");
  const auto bytes = base64_decoded({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  return std::string(bytes.begin(), bytes.end());
}

Result<std::string> value_of(DatasetType type, std::string_view text) {
  if (type == DatasetType::kString) return base64_value(text);
  if (type >= DatasetType::kIpv4) return address_value(text);
  std::string bytes;
  SLUICE_TRY_VOID(append_hex(text, bytes));
  return bytes;
}

std::string base64_of(const std::string& bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<uint8_t*>(out.data()),
                                     reinterpret_cast<const uint8_t*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(length));
  return out;
}

std::string text_of(DatasetType type, const std::string& bytes) {
  if (type == DatasetType::kString) return base64_of(bytes);
  if (type >= DatasetType::kIpv4) {
    char text[INET6_ADDRSTRLEN];
    return inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof(text));
  }
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kHex[static_cast<uint8_t>(c) >> 4];
    out += kHex[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

bool only_read(const DatasetSpec& spec) { return !spec.load.empty() && spec.save.empty(); }

Result<> replace_file(const std::string& path, const std::string& text) {
  const std::string written = path + ".new";
  std::ofstream file(written, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail_errno("cannot write the data", written);
  if (std::rename(written.c_str(), path.c_str()) != 0)
    return fail_errno("cannot write the data", path);
  return {};
}

// That it could be written, so that nobody learns at the end that it could not.
Result<> check_writable(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  if (access(directory.c_str(), W_OK | X_OK) != 0) return fail_errno("cannot write the data", path);
  if (std::filesystem::is_directory(path))
    return fail("cannot write the data: it is a directory", path);
  return {};
}

// What a rule says of a set that another has made.
Result<> check_same(const DatasetSpec& wanted, const DatasetSpec& known) {
  const bool same = (!wanted.type || wanted.type == known.type) &&
                    wanted.reputation == known.reputation &&
                    (wanted.load.empty() || wanted.load == known.load) &&
                    (wanted.save.empty() || wanted.save == known.save);
  if (!same) return fail("'" + wanted.name + "' is described otherwise by another rule");
  return {};
}

}  // namespace

Result<DatasetType> find_dataset_type(std::string_view name) {
  const auto* const found = std::ranges::find(kTypes, name);
  if (found == std::end(kTypes)) return fail("type '" + std::string(name) + "' is not supported");
  return static_cast<DatasetType>(found - std::begin(kTypes));
}

Dataset::Dataset(DatasetSpec spec, std::shared_ptr<std::atomic<size_t>> all_memory)
    : spec_(std::move(spec)), all_memory_(std::move(all_memory)), memory_max_(spec_.memory_max) {}

Dataset::~Dataset() { *all_memory_ -= memory_; }

bool Dataset::fits(std::span<const uint8_t> value) const {
  switch (*spec_.type) {
    case DatasetType::kString:
      return !value.empty() && value.size() <= kDatasetValueMax;
    case DatasetType::kMd5:
    case DatasetType::kIpv6:
      return value.size() == 16;
    case DatasetType::kSha256:
      return value.size() == 32;
    case DatasetType::kIpv4:
      return value.size() == 4;
    case DatasetType::kIp:
      return value.size() == 4 || value.size() == 16;
  }
  return false;
}

std::optional<uint16_t> Dataset::reputation(std::span<const uint8_t> value) const {
  if (!fits(value)) return std::nullopt;
  const std::string key(value.begin(), value.end());
  const std::shared_lock lock(mutex_);
  const auto found = values_.find(key);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

void Dataset::add(std::span<const uint8_t> value, uint16_t number) {
  if (!fits(value)) return;
  std::string key(value.begin(), value.end());
  const size_t cost = cost_of(key);
  const std::unique_lock lock(mutex_);
  if (const auto found = values_.find(key); found != values_.end()) {
    if (std::exchange(found->second, number) != number) changed_ = true;
    return;
  }
  if (memory_ + cost > memory_max_ || *all_memory_ + cost > kDatasetMemoryMax) {
    full_++;
    return;
  }
  values_.emplace(std::move(key), number);
  changed_ = true;
  memory_ += cost;
  *all_memory_ += cost;
}

void Dataset::remove(std::span<const uint8_t> value) {
  const std::string key(value.begin(), value.end());
  const std::unique_lock lock(mutex_);
  if (values_.erase(key) == 0) return;
  changed_ = true;
  memory_ -= cost_of(key);
  *all_memory_ -= cost_of(key);
}

size_t Dataset::size() const {
  const std::shared_lock lock(mutex_);
  return values_.size();
}

Result<> Dataset::read_line(std::string_view line) {
  uint16_t number = 0;
  std::string_view rest = line;
  const std::string_view written = spec_.reputation ? take_part(rest, ',') : trimmed_option(line);
  if (spec_.reputation) {
    SLUICE_TRY(number, option_number<uint16_t>(rest, 0, UINT16_MAX));
  }
  SLUICE_TRY(const std::string value, value_of(*spec_.type, written));
  const std::span bytes(reinterpret_cast<const uint8_t*>(value.data()), value.size());
  if (!fits(bytes)) return fail("a value of another length than its type has");
  const uint64_t before = full_;
  add(bytes, number);
  if (full_ != before) return fail("no memory for more values");
  return {};
}

Result<> Dataset::read(std::string_view text, const std::string& file) {
  for (int line = 1; !text.empty(); line++) {
    const std::string_view entry = take_line(text);
    if (entry.empty() || entry.front() == '#') continue;
    const auto taken = read_line(entry);
    if (!taken) return fail(taken.error().what, file + ":" + std::to_string(line));
  }
  changed_ = false;
  return {};
}

// Sorted, so that the same set is the same file.
std::string Dataset::text() const {
  std::vector<std::string> lines;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [value, number] : values_) lines.push_back(text_of(*spec_.type, value) + "\n");
  }
  std::ranges::sort(lines);
  std::string out;
  for (const std::string& line : lines) out += line;
  return out;
}

// --- all of them ---

Datasets::Datasets(std::string directory, const Datasets* previous)
    : directory_(std::move(directory)),
      memory_(previous != nullptr ? previous->memory_ : std::make_shared<std::atomic<size_t>>(0)) {
  if (previous == nullptr) return;
  for (const auto& [name, set] : previous->sets_)
    if (!only_read(set->spec())) kept_.emplace(name, set);
}

// Rules are not trusted as much as the command line: they reach nothing outside of the directory.
Result<std::string> Datasets::path_of(const std::string& file) const {
  if (directory_.empty()) return fail("file '" + file + "': no directory was named (--data-dir)");
  const std::filesystem::path path(file);
  const bool inside =
      path.is_relative() && path.has_filename() &&
      std::ranges::none_of(path, [](const auto& part) { return part == ".." || part == "."; });
  if (!inside) return fail("file '" + file + "' is not inside of the directory of data");
  return (std::filesystem::path(directory_) / path).string();
}

Result<std::shared_ptr<Dataset>> Datasets::make(const DatasetSpec& spec) const {
  if (!spec.type) return fail("the first rule about '" + spec.name + "' needs its type");
  auto set = std::make_shared<Dataset>(spec, only_read(spec) ? read_memory_ : memory_);
  if (!spec.save.empty()) {
    SLUICE_TRY(const std::string saved, path_of(spec.save));
    SLUICE_TRY_VOID(check_writable(saved));
  }
  if (spec.load.empty()) return set;
  SLUICE_TRY(const std::string path, path_of(spec.load));
  // A state that was not saved yet is empty.
  if (spec.load == spec.save && access(path.c_str(), F_OK) != 0) return set;
  SLUICE_TRY(const std::string text, read_text_file(path, kDatasetFileMax, "data"));
  SLUICE_TRY_VOID(set->read(text, path));
  return set;
}

Result<std::shared_ptr<Dataset>> Datasets::get(const DatasetSpec& spec) {
  const auto known = sets_.find(spec.name);
  if (known != sets_.end()) {
    SLUICE_TRY_VOID(check_same(spec, known->second->spec()));
    return known->second;
  }
  if (sets_.size() == kDatasetsMax) return fail("more than 1024 sets");
  const auto kept = kept_.find(spec.name);
  const bool goes_on = kept != kept_.end() && check_same(spec, kept->second->spec());
  if (goes_on) {
    kept->second->set_memory_max(spec.memory_max);
    return sets_.emplace(spec.name, kept->second).first->second;
  }
  SLUICE_TRY(auto set, make(spec));
  return sets_.emplace(spec.name, std::move(set)).first->second;
}

Result<std::string> Datasets::read_file(const std::string& file) const {
  SLUICE_TRY(const std::string path, path_of(file));
  auto text = read_text_file(path, kDatasetFileMax, "data");
  if (!text) return fail(text.error().text());
  return text;
}

// One that cannot be written keeps no other back; the first error is told.
Result<> Datasets::save(Which which) const {
  Result<> out;
  for (const auto& [name, set] : sets_) {
    if (set->spec().save.empty() || (which == Which::kChanged && !set->changed())) continue;
    const auto path = path_of(set->spec().save);
    const Result<> saved =
        path ? replace_file(*path, set->text()) : Result<>(fail(path.error().text()));
    if (!saved && out) out = saved;
  }
  return out;
}

uint64_t Datasets::full() const {
  uint64_t sum = 0;
  for (const auto& [name, set] : sets_) sum += set->full();
  return sum;
}

}  // namespace sluice::inspect
