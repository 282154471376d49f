// SPDX-License-Identifier: Apache-2.0
//
// Choices about the socket, and why:
// - Replies leave from the port that the worker is bound to (6081), not from the port that the
// datagram
//   came from: a UDP socket cannot borrow the gateway's port, and the gateway knows a return by its
//   address, endpoint and cookie, never by its source port.
// - The outer checksum is left to the kernel. It may be 0 over IPv4, but Linux refuses UDP_SEGMENT
// on a
//   socket with SO_NO_CHECK; veth and every common card compute it for free.
// - IP_PMTUDISC_PROBE: never fragment the outer packet (a gateway drops fragments of it) and never
// let a
//   forged ICMP message make it smaller. What does not fit the link is counted as send_failed.
// - UDP_NO_CHECK6_RX: over IPv6 the gateway sends no checksum either, and without this the kernel
//   drops that (RFC 8200 section 8.1).
#include "appliances/sdk/worker.h"

#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace sluice::sdk {

namespace {

// Not a power of two: the headers of one batch must not all fall into the same cache sets.
constexpr size_t kBufferStride = 65536 + 17 * 64;
static_assert(kBufferStride >= kDatagramLengthMax + kHintOptionLength);

int64_t wall_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

Result<> set_option(int fd, int level, int option, int value, const char* what) {
  if (setsockopt(fd, level, option, &value, sizeof(value)) != 0) return fail_errno(what);
  return {};
}

Result<> set_ipv6_options(int fd) {
  SLUICE_TRY_VOID(set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"));
  SLUICE_TRY_VOID(
      set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE, "IPV6_MTU_DISCOVER"));
  return set_option(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1, "UDP_NO_CHECK6_RX");
}

// The kernel lets a socket that does not share bind only what nobody has, also if that one shares;
// who is bound so can still begin to share. So a second program, which would take half of the flows
// away, fails.
Result<> bind_to(int fd, const SocketName& address, bool first, const std::string& where) {
  if (!first) SLUICE_TRY_VOID(set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"));
  if (bind(fd, &address.any, length_of(address)) != 0) {
    if (errno != EADDRINUSE) return fail_errno("cannot bind", where);
    return fail("another program has this UDP port: stop it, or say another --listen or --port",
                where);
  }
  return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
}

Result<Socket> open_socket(const Worker::Where& at) {
  const std::string where = at.listen + ":" + std::to_string(at.port);
  SLUICE_TRY(const SocketName address, parse_listen(at.listen, at.port));
  SLUICE_TRY(Socket socket, open_for(address, SOCK_DGRAM));

  const int fd = socket.fd();
  if (address.any.sa_family == AF_INET6) {
    SLUICE_TRY_VOID(set_ipv6_options(fd));
  } else {
    SLUICE_TRY_VOID(set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO"));
  }
  SLUICE_TRY_VOID(
      set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, "IP_MTU_DISCOVER"));
  SLUICE_TRY_VOID(set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1, "SO_RXQ_OVFL"));
  if (at.stamps) SLUICE_TRY_VOID(set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS"));
  // Forcing needs CAP_NET_ADMIN; without it the system's limit (net.core.rmem_max) applies.
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBufferBytes, ""))
    SLUICE_TRY_VOID(set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferBytes, "SO_RCVBUF"));
  const timeval timeout{0, kTickIntervalUs};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0)
    return fail_errno("cannot set socket timeouts", where);
  SLUICE_TRY_VOID(bind_to(fd, address, at.first, where));
  return socket;
}

// Our address that the datagram was sent to, the count of datagrams that the socket has lost so
// far, and when the kernel took it in (0: it does not say).
struct Arrival {
  in6_addr local{};
  uint32_t overflow = 0;
  int64_t stamp_us = 0;
};

Arrival read_control(msghdr& message) {
  Arrival arrival;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof(info));
      arrival.local = mapped(info.ipi_spec_dst);
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof(info));
      arrival.local = info.ipi6_addr;
    } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&arrival.overflow, CMSG_DATA(header), sizeof(arrival.overflow));
    } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPNS) {
      timespec stamp;
      std::memcpy(&stamp, CMSG_DATA(header), sizeof(stamp));
      arrival.stamp_us = stamp.tv_sec * 1'000'000 + stamp.tv_nsec / 1000;
    }
  }
  return arrival;
}

}  // namespace

int64_t steady_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

Result<std::unique_ptr<Worker>> Worker::create(const Where& where,
                                               std::unique_ptr<Appliance> appliance) {
  SLUICE_TRY(Socket socket, open_socket(where));
  return std::unique_ptr<Worker>(new Worker(std::move(socket), where.port, std::move(appliance)));
}

Worker::Worker(Socket socket, uint16_t port, std::unique_ptr<Appliance> appliance)
    : socket_(std::move(socket)),
      appliance_(std::move(appliance)),
      replies_(socket_.fd(), port, counters_),
      buffers_(kReceiveBatchMax * kBufferStride),
      vectors_(kReceiveBatchMax),
      senders_(kReceiveBatchMax),
      controls_(kReceiveBatchMax),
      messages_(kReceiveBatchMax) {
  appliance_->count_in(counters_);
}

void Worker::run(const std::atomic<bool>& stop) {
  int64_t time_us = wall_us();
  int64_t next_tick_us = time_us;
  while (!stop.load(std::memory_order_relaxed)) {
    rearm();
    const int count =
        recvmmsg(socket_.fd(), messages_.data(), kReceiveBatchMax, MSG_WAITFORONE, nullptr);
    const int error = errno;
    const int64_t round_us = steady_us();
    last_round_us_.store(round_us, std::memory_order_relaxed);
    const int64_t now_us = wall_us();
    queue_clock_.look(now_us, round_us);
    time_us = std::max(time_us, now_us);
    if (count > 0) {
      handle_batch(count, time_us);
    } else if (error != EAGAIN && error != EINTR) {
      counters_.receive_failed.add();
      usleep(10'000);  // an interface that went away fails at once; do not spin on it
    }
    errands_.run(*appliance_);
    if (time_us >= next_tick_us) {
      LateReplies late(replies_, counters_);
      appliance_->send_late(time_us, late);
      replies_.send();
      appliance_->tick(time_us);
      next_tick_us = time_us + kTickIntervalUs;
    }
  }
  appliance_->finish(std::max(time_us, wall_us()));
}

// recvmmsg overwrites the lengths; set them again.
void Worker::rearm() {
  for (size_t i = 0; i < kReceiveBatchMax; i++) {
    vectors_[i] = {&buffers_[i * kBufferStride], kBufferStride};
    msghdr& message = messages_[i].msg_hdr;
    message = {};
    message.msg_name = &senders_[i];
    message.msg_namelen = sizeof(senders_[i]);
    message.msg_iov = &vectors_[i];
    message.msg_iovlen = 1;
    message.msg_control = controls_[i].bytes;
    message.msg_controllen = sizeof(controls_[i].bytes);
  }
}

void Worker::handle_batch(int count, int64_t time_us) {
  for (size_t i = 0; i < static_cast<size_t>(count); i++) {
    const Arrival arrival = read_control(messages_[i].msg_hdr);
    if (arrival.overflow > counters_.receive_overflow.get())
      counters_.receive_overflow.set(arrival.overflow);
    replies_.answer_to({address_of(senders_[i]), arrival.local});
    answer_datagram({&buffers_[i * kBufferStride], kBufferStride}, messages_[i].msg_len, time_us,
                    *appliance_, replies_, counters_, queue_clock_.waited_us(arrival.stamp_us));
  }
  replies_.send();
}

}  // namespace sluice::sdk
