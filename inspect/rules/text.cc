// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sluice::inspect {
namespace {

struct OpenFile {
  int fd;
  explicit OpenFile(const std::string& path)
      // Else opening a pipe waits for a writer, and reading a terminal for somebody at it.
      : fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool is_pipe() const {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
  }
};

}  // namespace

Result<std::string> read_text_file(const std::string& path, size_t size_max,
                                   std::string_view what) {
  std::string text;
  const auto take = [&](std::string_view piece) -> Result<> {
    text += piece;
    return {};
  };
  SLUICE_TRY_VOID(read_text_file(path, size_max, what, take));
  return text;
}

Result<> read_text_file(const std::string& path, size_t size_max, std::string_view what,
                        const std::function<Result<>(std::string_view)>& take) {
  const std::string failed = "cannot read the " + std::string(what);
  const OpenFile file(path);
  if (file.fd < 0) return fail_errno(failed, path);
  if (file.is_pipe()) return fail(failed + ": it is a pipe, and must be a file", path);
  size_t size = 0;
  char block[65536];
  for (;;) {
    const ssize_t read = ::read(file.fd, block, sizeof(block));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return fail_errno(failed, path);
    if (read == 0) return {};
    size += static_cast<size_t>(read);
    if (size > size_max) return fail("larger than " + std::to_string(size_max >> 20) + " MB", path);
    SLUICE_TRY_VOID(take({block, static_cast<size_t>(read)}));
  }
}

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  const size_t last = line.find_last_not_of(" \t\r");
  return last == std::string_view::npos ? std::string_view{} : line.substr(0, last + 1);
}

Result<> WholeLines::feed(std::string_view piece) {
  for (size_t end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
    keep(line_, piece.substr(0, end));
    piece.remove_prefix(end + 1);
    SLUICE_TRY_VOID(end_of_line());
  }
  keep(line_, piece);
  return {};
}

// What is too long stays so, whatever it ends with.
Result<> WholeLines::end_of_line() {
  const bool too_long = line_.size() > length_max_;
  std::string_view line = line_;
  if (!too_long) line = take_line(line);
  const bool goes_on = !too_long && line.ends_with('\\');
  if (goes_on) line.remove_suffix(1);
  keep(whole_, line);
  line_.clear();
  number_++;
  return goes_on ? Result<>{} : give();
}

Result<> WholeLines::end() {
  const bool open = !line_.empty();
  if (open) SLUICE_TRY_VOID(end_of_line());
  return whole_.empty() ? Result<>{} : give();
}

Result<> WholeLines::give() {
  std::string text = std::exchange(whole_, {});
  const int first = std::exchange(first_, number_);
  // Editors begin a file with it, and nobody sees it.
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (first == 1 && text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  const size_t begin = text.find_first_not_of(" \t");
  const bool says_nothing =
      begin == std::string::npos ? text.size() <= length_max_ : text[begin] == '#';
  return says_nothing ? Result<>{} : take_(text, first);
}

std::string_view trimmed_option(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Result<std::string> quoted_text(std::string_view value) {
  value = trimmed_option(value);
  if (value.size() < 2 || value.front() != '"' || value.back() != '"')
    return fail("needs a text in double quotes");
  value = value.substr(1, value.size() - 2);
  std::string out;
  for (size_t i = 0; i < value.size(); i++) {
    if (value[i] == '"') return fail("has a double quote without \\ before it");
    if (value[i] == '\\' && i + 1 < value.size()) i++;
    out += value[i];
  }
  return out;
}

std::string_view take_part(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view part = trimmed_option(rest.substr(0, end));
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return part;
}

std::vector<std::string_view> comma_parts(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) out.push_back(take_part(text, ','));
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<> append_hex(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      i++;
      continue;
    }
    const int high = hex_digit(text[i]);
    const int low = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    if (high < 0 || low < 0) return fail("not pairs of hex digits");
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return {};
}

namespace {

int base64_digit(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// Groups of four characters, the last one padded with one '=' or two.
bool is_whole_base64(std::span<const uint8_t> text) {
  if (text.size() % 4 != 0) return false;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; i++)
    text = text.first(text.size() - 1);
  return std::ranges::all_of(text, [](uint8_t c) { return base64_digit(c) >= 0; });
}

}  // namespace

std::vector<uint8_t> base64_decoded(std::span<const uint8_t> text, Base64Mode mode) {
  std::vector<uint8_t> out;
  if (mode == Base64Mode::kStrict && !is_whole_base64(text)) return out;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t c : text) {
    if (c == '=') break;
    const int digit = base64_digit(c);
    if (digit < 0 && mode != Base64Mode::kRfc2045) break;
    if (digit < 0) continue;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if ((count += 6) < 8) continue;
    count -= 8;
    out.push_back(static_cast<uint8_t>(bits >> count));
  }
  return out;
}

}  // namespace sluice::inspect
