// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/reply_batch.h"

#include <netinet/udp.h>

#include <cerrno>
#include <cstring>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace sluice::sdk {

namespace {

int family_of(int socket) {
  int family = AF_INET;
  socklen_t length = sizeof(family);
  (void)getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length);
  return family;
}

}  // namespace

ReplyBatch::ReplyBatch(int socket, uint16_t port, Counters& counters)
    : socket_(socket),
      family_(family_of(socket)),
      port_(port),
      counters_(counters),
      injected_bytes_(kInjectedBytesMax) {
  replies_.reserve(kRepliesMax);
  vectors_.reserve(kRepliesMax);
  addresses_.reserve(kRepliesMax);
  controls_.reserve(kRepliesMax);
  messages_.reserve(kRepliesMax);
}

void ReplyBatch::returned(std::span<uint8_t> datagram, bool hinted) {
  add({datagram.data(), datagram.size()}, hinted);
}

bool ReplyBatch::injected(std::span<const uint8_t> header, std::span<const uint8_t> ip) {
  const size_t length = header.size() + ip.size();
  if (length > kDatagramLengthMax) return false;
  if (length > injected_bytes_.size() - injected_used_) send();
  uint8_t* at = &injected_bytes_[injected_used_];
  const size_t written = write_datagram(header, ip, {at, length});
  if (written == 0) return false;
  injected_used_ += written;
  add({at, written}, false);
  return true;
}

// The reply is put in before a full batch is sent: a send before it would free its injected bytes.
void ReplyBatch::add(iovec bytes, bool hinted) {
  replies_.push_back({path_, bytes, hinted});
  if (replies_.size() == kRepliesMax) send();
}

void ReplyBatch::send() {
  for (size_t first = 0; first < replies_.size();) {
    const size_t count = group_length(first);
    prepare(first, count);
    first += count;
  }
  send_prepared();
  replies_.clear();
  vectors_.clear();
  addresses_.clear();
  controls_.clear();
  messages_.clear();
  injected_used_ = 0;
}

// How many replies from `first` on can leave as one GSO send: same path, same length, except that
// the last may be shorter.
size_t ReplyBatch::group_length(size_t first) const {
  const Reply& head = replies_[first];
  size_t total = head.bytes.iov_len;
  size_t count = 1;
  while (first + count < replies_.size() && count < kSegmentsMax) {
    const Reply& next = replies_[first + count];
    if (!(next.path == head.path) || next.bytes.iov_len > head.bytes.iov_len) break;
    total += next.bytes.iov_len;
    if (total > kDatagramLengthMax) break;
    count++;
    if (next.bytes.iov_len < head.bytes.iov_len) break;
  }
  return count;
}

// Builds the message for replies [first, first + count). The vectors never grow past their
// capacity, so the pointers into them stay good.
void ReplyBatch::prepare(size_t first, size_t count) {
  const Reply& head = replies_[first];
  SocketName& address = addresses_.emplace_back(socket_name(family_, head.path.gateway, port_));
  const size_t vector = vectors_.size();
  for (size_t i = 0; i < count; i++) vectors_.push_back(replies_[first + i].bytes);

  Control& control = controls_.emplace_back();
  mmsghdr& message = messages_.emplace_back();
  message.msg_hdr.msg_name = &address;
  message.msg_hdr.msg_namelen = length_of(address);
  message.msg_hdr.msg_iov = &vectors_[vector];
  message.msg_hdr.msg_iovlen = count;
  message.msg_hdr.msg_control = control.bytes;
  message.msg_hdr.msg_controllen = source_space() + CMSG_SPACE(sizeof(uint16_t));

  cmsghdr* header = CMSG_FIRSTHDR(&message.msg_hdr);
  say_source(header, head.path.local);
  if (count == 1) {
    message.msg_hdr.msg_controllen = source_space();
    return;
  }
  header = CMSG_NXTHDR(&message.msg_hdr, header);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  const uint16_t segment = static_cast<uint16_t>(head.bytes.iov_len);
  std::memcpy(CMSG_DATA(header), &segment, sizeof(segment));
}

// Which of our addresses it leaves from. On an IPv6 socket that may be a mapped one.
void ReplyBatch::say_source(cmsghdr* header, const in6_addr& local) const {
  if (family_ == AF_INET) {
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo info{};
    info.ipi_spec_dst = socket_name(AF_INET, local, 0).v4.sin_addr;
    std::memcpy(CMSG_DATA(header), &info, sizeof(info));
    return;
  }
  header->cmsg_level = IPPROTO_IPV6;
  header->cmsg_type = IPV6_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(in6_pktinfo));
  const in6_pktinfo info{local, 0};
  std::memcpy(CMSG_DATA(header), &info, sizeof(info));
}

// Each round sends at least one message or gives one up, so it ends. What the kernel refuses (a GSO
// send on a link without checksum offload, a segment above the MTU) is sent again datagram by
// datagram.
void ReplyBatch::send_prepared() {
  size_t at = 0;
  while (at < messages_.size()) {
    const int sent = sendmmsg(socket_, &messages_[at], static_cast<unsigned>(messages_.size() - at),
                              MSG_NOSIGNAL);
    if (sent > 0) {
      for (size_t last = at + static_cast<size_t>(sent); at < last; at++)
        if (messages_[at].msg_hdr.msg_iovlen > 1)
          counters_.segmented.add(messages_[at].msg_hdr.msg_iovlen);
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    send_singly(messages_[at++].msg_hdr);
  }
}

// Datagram by datagram. The vectors are those of the replies, in their order.
void ReplyBatch::send_singly(msghdr message) {
  message.msg_controllen = source_space();
  const size_t count = message.msg_iovlen;
  message.msg_iovlen = 1;
  for (size_t i = 0; i < count; i++, message.msg_iov++) {
    if (sendmsg(socket_, &message, MSG_NOSIGNAL) >= 0) continue;
    iovec& bytes = *message.msg_iov;
    const bool hinted = replies_[static_cast<size_t>(&bytes - vectors_.data())].hinted;
    if (hinted && errno == EMSGSIZE) {
      const auto shorter = without_hint({static_cast<uint8_t*>(bytes.iov_base), bytes.iov_len});
      bytes = {shorter.data(), shorter.size()};
      counters_.hints_dropped.add();
      if (sendmsg(socket_, &message, MSG_NOSIGNAL) >= 0) continue;
    }
    counters_.send_failed.add();
  }
}

}  // namespace sluice::sdk
