// SPDX-License-Identifier: Apache-2.0
// An FTP command and its replies; without a command what the server says by itself, e.g. its
// welcome.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "inspect/app/transaction.h"

namespace sluice::inspect {

inline constexpr size_t kFtpRepliesMax = 256;          // lines of a transaction that are told
inline constexpr size_t kFtpReplyBytesMax = 64 << 10;  // and their length together

// Where the data goes, by PORT, EPRT, and the replies to PASV and EPSV.
struct FtpDataPort {
  bool active = false;  // the server connects to the client
  std::string address;  // as it was written, with dots; empty: EPSV does not say
  uint16_t port = 0;
};

// PORT 192,0,2,1,234,10. Nothing: it is broken.
std::optional<FtpDataPort> read_ftp_port(std::string_view text);
// EPRT |1|192.0.2.1|59914|
std::optional<FtpDataPort> read_ftp_eprt(std::string_view text);
// Entering Passive Mode (192,0,2,1,234,10).
std::optional<FtpDataPort> read_ftp_pasv_reply(std::string_view text);
// Entering Extended Passive Mode (|||59914|)
std::optional<FtpDataPort> read_ftp_epsv_reply(std::string_view text);

class FtpTransaction final : public Transaction {
 public:
  explicit FtpTransaction(uint64_t id) : Transaction(AppProtocol::kFtp, id) {}

  std::string_view event_type() const override { return "ftp"; }
  void write(JsonLine& line) const override;

  // In upper case; empty: there is none.
  std::string_view command() const { return command_; }
  std::string_view command_data() const { return command_data_; }
  bool reply_received() const { return reply_received_; }
  const std::optional<FtpDataPort>& data_port() const { return data_port_; }

  size_t memory() const;

  // A command's line; `cut`: it was longer.
  void request(std::string_view line, bool cut, TransactionSink& sink);
  // One line of the replies; `code` is empty in the middle of a long one.
  void reply(std::string_view code, std::string_view text, TransactionSink& sink);

 private:
  void tell(Direction direction, Buffer buffer, std::string_view text, TransactionSink& sink);

  std::string command_, command_data_;
  bool command_cut_ = false;
  bool reply_received_ = false;
  bool replies_cut_ = false;
  std::deque<std::string> replies_, codes_;  // what was told does not move
  size_t reply_bytes_ = 0;
  std::optional<FtpDataPort> data_port_;
};

}  // namespace sluice::inspect
