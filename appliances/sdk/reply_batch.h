// SPDX-License-Identifier: Apache-2.0
// Replies on their way out: gathered while a batch of datagrams is handled, then sent with one
// system call. Consecutive replies to one gateway that have the same length leave as one
// UDP_SEGMENT (GSO) send, which the kernel cuts into datagrams again. A datagram that only its hint
// makes longer than the link's MTU leaves without the hint: the next shorter one carries it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "appliances/sdk/counters.h"
#include "appliances/sdk/geneve_reply.h"
#include "appliances/sdk/socket_name.h"

namespace sluice::sdk {

inline constexpr size_t kRepliesMax = 256;              // gathered before they are sent
inline constexpr size_t kInjectedBytesMax = 256 << 10;  // bytes of added packets gathered
inline constexpr size_t kSegmentsMax = 64;  // datagrams in one GSO send (UDP_MAX_SEGMENTS)

// Where a datagram came from and which of our addresses it was sent to, those of IPv4 mapped; the
// reply goes the other way.
struct Path {
  in6_addr gateway;
  in6_addr local;
  bool operator==(const Path& other) const { return std::memcmp(this, &other, sizeof(Path)) == 0; }
};

class ReplyBatch : public ReplySink {
 public:
  // Sends through `socket` (borrowed) to `port` of the gateways.
  ReplyBatch(int socket, uint16_t port, Counters& counters);

  // The following replies belong to a datagram that came along `path`.
  void answer_to(const Path& path) { path_ = path; }
  // `datagram` must stay as it is until send().
  void returned(std::span<uint8_t> datagram, bool hinted) override;
  bool injected(std::span<const uint8_t> header, std::span<const uint8_t> ip) override;
  Way way() const override { return std::bit_cast<Way>(path_); }
  void set_way(const Way& way) override { path_ = std::bit_cast<Path>(way); }
  void send();

 private:
  struct Reply {
    Path path;
    iovec bytes;
    bool hinted;
  };
  // One message to the kernel with room for its two control messages.
  struct Control {
    alignas(cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
  };

  void add(iovec bytes, bool hinted);
  size_t group_length(size_t first) const;
  void prepare(size_t first, size_t count);
  void say_source(cmsghdr* header, const in6_addr& local) const;
  void send_prepared();
  void send_singly(msghdr message);

  // How long the first control message is.
  size_t source_space() const {
    return family_ == AF_INET ? CMSG_SPACE(sizeof(in_pktinfo)) : CMSG_SPACE(sizeof(in6_pktinfo));
  }

  int socket_;
  int family_;
  uint16_t port_;
  Counters& counters_;
  Path path_{};
  std::vector<Reply> replies_;
  std::vector<uint8_t> injected_bytes_;
  size_t injected_used_ = 0;
  // Scratch of send(), sized once.
  std::vector<iovec> vectors_;
  std::vector<SocketName> addresses_;
  std::vector<Control> controls_;
  std::vector<mmsghdr> messages_;
};

}  // namespace sluice::sdk
