// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/ftp_transaction.h"

#include <algorithm>
#include <charconv>

#include "inspect/app/memory.h"
#include "inspect/app/mime_header.h"
#include "inspect/eve/json_line.h"

namespace sluice::inspect {
namespace {

// Takes a number up to `max` off `text`.
std::optional<unsigned> take_number(std::string_view& text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value > max) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::string upper_case(std::string_view text) {
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? char(c - 0x20) : c; });
  return upper;
}

void write_list(JsonLine& line, std::string_view key, const std::deque<std::string>& list) {
  if (list.empty()) return;
  line.open_array(key);
  for (const std::string& text : list) line.element(text);
  line.close_array();
}

}  // namespace

std::optional<FtpDataPort> read_ftp_port(std::string_view text) {
  unsigned numbers[6];
  for (size_t i = 0; i < std::size(numbers); i++) {
    if (i != 0 && !text.starts_with(',')) return std::nullopt;
    if (i != 0) text.remove_prefix(1);
    const auto number = take_number(text, 255);
    if (!number) return std::nullopt;
    numbers[i] = *number;
  }
  FtpDataPort found{.active = true, .port = static_cast<uint16_t>(numbers[4] << 8 | numbers[5])};
  for (size_t i = 0; i < 4; i++) found.address += (i == 0 ? "" : ".") + std::to_string(numbers[i]);
  return found;
}

std::optional<FtpDataPort> read_ftp_eprt(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const char separator = text.front();  // any character that they agree on (RFC 2428, 2)
  std::string_view parts[3];
  for (std::string_view& part : parts) {
    text.remove_prefix(1);
    const size_t end = text.find(separator);
    if (end == std::string_view::npos) return std::nullopt;
    part = text.substr(0, end);
    text.remove_prefix(end);
  }
  const auto port = take_number(parts[2], 65535);
  if (!port || !parts[2].empty()) return std::nullopt;
  return FtpDataPort{
      .active = true, .address = std::string(parts[1]), .port = static_cast<uint16_t>(*port)};
}

std::optional<FtpDataPort> read_ftp_pasv_reply(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
  auto found = read_ftp_port(text);
  if (found) found->active = false;
  return found;
}

std::optional<FtpDataPort> read_ftp_epsv_reply(std::string_view text) {
  text.remove_prefix(std::min(text.find('('), text.size()));
  if (text.empty()) return std::nullopt;
  auto found = read_ftp_eprt(text.substr(1));
  if (found) found->active = false;
  return found;
}

void FtpTransaction::tell(Direction direction, Buffer buffer, std::string_view text,
                          TransactionSink& sink) {
  if (sink.wants(buffer))
    sink.buffer(*this, direction, buffer,
                {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

size_t FtpTransaction::memory() const {
  return sizeof(*this) + heap_of(command_) + heap_of(command_data_) + 2 * kDequeBytes +
         reply_bytes_ + (replies_.size() + codes_.size()) * sizeof(std::string);
}

void FtpTransaction::request(std::string_view line, bool cut, TransactionSink& sink) {
  const size_t space = line.find(' ');
  command_ = upper_case(trimmed(line.substr(0, space)));
  if (space != std::string_view::npos) command_data_ = trimmed(line.substr(space));
  command_cut_ = cut;
  if (command_ == "PORT") data_port_ = read_ftp_port(command_data_);
  if (command_ == "EPRT") data_port_ = read_ftp_eprt(command_data_);
  tell(Direction::kToServer, Buffer::kFtpCommand, command_, sink);
  if (!command_data_.empty())
    tell(Direction::kToServer, Buffer::kFtpCommandData, command_data_, sink);
}

void FtpTransaction::reply(std::string_view code, std::string_view text, TransactionSink& sink) {
  reply_received_ = true;
  if (command_ == "PASV" && code == "227") data_port_ = read_ftp_pasv_reply(text);
  if (command_ == "EPSV" && code == "229") data_port_ = read_ftp_epsv_reply(text);
  reply_bytes_ += text.size();
  if (replies_.size() == kFtpRepliesMax || reply_bytes_ > kFtpReplyBytesMax) {
    replies_cut_ = true;
    return;
  }
  if (!code.empty())
    tell(Direction::kToClient, Buffer::kFtpCompletionCode, codes_.emplace_back(code), sink);
  tell(Direction::kToClient, Buffer::kFtpReply, replies_.emplace_back(text), sink);
}

void FtpTransaction::write(JsonLine& line) const {
  line.open("ftp");
  if (!command_.empty()) line.string("command", command_);
  if (!command_data_.empty()) line.string("command_data", command_data_);
  if (command_cut_) line.boolean("command_truncated", true);
  write_list(line, "reply", replies_);
  write_list(line, "completion_code", codes_);
  if (replies_cut_) line.boolean("reply_truncated", true);
  if (data_port_) {
    line.unsigned_number("dynamic_port", data_port_->port);
    line.string("mode", data_port_->active ? "active" : "passive");
  }
  line.string("reply_received", reply_received_ ? "yes" : "no");
  line.close();
}

}  // namespace sluice::inspect
