// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/netlink.h"

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>

namespace sluice::gateway {
namespace {

constexpr int kMessageBytesMax = 65536;
constexpr int kDumpAttemptsMax = 5;

// A dump that changed under the reader has this in one of its records' headers.
constexpr char kInterrupted[] = "the kernel's list changed while it was read";

// NLMSGERR_ATTR_MSG of an extended acknowledgement.
std::string kernel_words(const nlmsghdr* header) {
  const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(header));
  size_t skip = sizeof(nlmsgerr);
  if (!(header->nlmsg_flags & NLM_F_CAPPED))
    skip += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
  size_t length = static_cast<size_t>(nlmsg_datalen(header));
  if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || skip >= length) return {};
  auto words =
      find_attribute(attributes_of({static_cast<const uint8_t*>(nlmsg_data(header)), length}, skip),
                     NLMSGERR_ATTR_MSG);
  return words ? words->text() : std::string();
}

Failure failure_of(const nlmsghdr* header, const std::string& what, int error) {
  std::string words = kernel_words(header);
  return fail_errno(words.empty() ? what : what + ": " + words, {}, error);
}

}  // namespace

void NetlinkRequest::Free::operator()(nl_msg* message) const { nlmsg_free(message); }

NetlinkRequest::NetlinkRequest(int type, int flags) : message_(nlmsg_alloc_size(kMessageBytesMax)) {
  SLUICE_CHECK(message_ != nullptr);
  SLUICE_CHECK(
      nlmsg_put(message(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, NLM_F_REQUEST | NLM_F_ACK | flags));
}

NetlinkRequest& NetlinkRequest::raw(const void* data, size_t length) {
  SLUICE_CHECK(nlmsg_append(message(), const_cast<void*>(data), length, NLMSG_ALIGNTO) == 0);
  return *this;
}

NetlinkRequest& NetlinkRequest::put(int attribute, const void* data, size_t length) {
  SLUICE_CHECK(nla_put(message(), attribute, static_cast<int>(length), data) == 0);
  return *this;
}

NetlinkRequest& NetlinkRequest::begin(int attribute) {
  nests_.push_back(nla_nest_start(message(), attribute));
  SLUICE_CHECK(nests_.back() != nullptr);
  return *this;
}

NetlinkRequest& NetlinkRequest::end() {
  // Not nla_nest_end: that drops an empty nest, and an empty one has a meaning for some kinds of
  // link.
  nla_nest_end_keep_empty(message(), static_cast<nlattr*>(nests_.back()));
  nests_.pop_back();
  return *this;
}

uint32_t NetlinkAttribute::u32() const {
  uint32_t value = 0;
  if (data.size() >= sizeof value) std::memcpy(&value, data.data(), sizeof value);
  return value;
}

std::string NetlinkAttribute::text() const {
  const char* start = reinterpret_cast<const char*>(data.data());
  return std::string(start, strnlen(start, data.size()));
}

std::vector<NetlinkAttribute> attributes_of(std::span<const uint8_t> payload,
                                            size_t header_length) {
  std::vector<NetlinkAttribute> attributes;
  size_t at = NLMSG_ALIGN(header_length);
  while (at + sizeof(nlattr) <= payload.size()) {
    nlattr attribute;
    std::memcpy(&attribute, payload.data() + at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || attribute.nla_len > payload.size() - at) break;
    attributes.push_back(
        {static_cast<uint16_t>(attribute.nla_type & NLA_TYPE_MASK),
         payload.subspan(at + sizeof attribute, attribute.nla_len - sizeof attribute)});
    at += NLA_ALIGN(attribute.nla_len);
  }
  return attributes;
}

std::optional<NetlinkAttribute> find_attribute(const std::vector<NetlinkAttribute>& attributes,
                                               int type) {
  for (const NetlinkAttribute& attribute : attributes)
    if (attribute.type == type) return attribute;
  return std::nullopt;
}

void RouteSocket::Close::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<RouteSocket> RouteSocket::open(const Namespace& where) { return open(where, NETLINK_ROUTE); }

Result<RouteSocket> RouteSocket::open_generic(const Namespace& where) {
  return open(where, NETLINK_GENERIC);
}

Result<RouteSocket> RouteSocket::open(const Namespace& where, int protocol) {
  RouteSocket opened(nl_socket_alloc());
  SLUICE_CHECK(opened.socket_ != nullptr);
  SLUICE_TRY(NamespaceScope scope, NamespaceScope::enter(where));
  nl_sock* socket = opened.socket_.get();
  if (int error = nl_connect(socket, protocol); error < 0)
    return fail(std::string("cannot open a netlink socket: ") + nl_geterror(error), where.name());
  nl_socket_enable_msg_peek(socket);
  int on = 1;  // all are refinements: an old kernel without them works, with less to say on errors
  setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  return opened;
}

Result<bool> RouteSocket::receive(uint32_t sequence, const std::string& what,
                                  std::vector<NetlinkRecord>& records) {
  sockaddr_nl from = {};
  unsigned char* buffer = nullptr;
  int length = nl_recv(socket_.get(), &from, &buffer, nullptr);
  if (length < 0) return fail(what + ": " + nl_geterror(length));
  std::unique_ptr<unsigned char, decltype(&std::free)> owner(buffer, std::free);
  for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); nlmsg_ok(header, length);
       header = nlmsg_next(header, &length)) {
    if (header->nlmsg_seq != sequence) continue;
    if (header->nlmsg_flags & NLM_F_DUMP_INTR) return fail(kInterrupted);
    if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == NLMSG_DONE) {
      int error = 0;
      if (nlmsg_datalen(header) >= static_cast<int>(sizeof error))
        std::memcpy(&error, nlmsg_data(header), sizeof error);
      if (error == 0) return true;
      return header->nlmsg_type == NLMSG_ERROR ? failure_of(header, what, -error)
                                               : fail_errno(what, {}, -error);
    }
    if (records.size() >= RouteSocket::kRecordsMax)
      return fail(what + ": more records than this program reads");
    const auto* data = static_cast<const uint8_t*>(nlmsg_data(header));
    records.push_back({header->nlmsg_type, Bytes(data, data + nlmsg_datalen(header))});
  }
  return false;
}

Result<std::vector<NetlinkRecord>> RouteSocket::exchange(const NetlinkRequest& request,
                                                         const std::string& what) {
  for (int attempt = 1;; ++attempt) {
    std::vector<NetlinkRecord> records;
    nlmsg_hdr(request.message())->nlmsg_seq = NL_AUTO_SEQ;
    if (int sent = nl_send_auto(socket_.get(), request.message()); sent < 0)
      return fail(what + ": " + nl_geterror(sent));
    uint32_t sequence = nlmsg_hdr(request.message())->nlmsg_seq;
    Result<bool> done = receive(sequence, what, records);
    while (done && !*done) done = receive(sequence, what, records);
    if (done) return records;
    if (done.error().what != kInterrupted || attempt == kDumpAttemptsMax)
      return ::tl::make_unexpected(std::move(done).error());
  }
}

Result<> RouteSocket::send(const NetlinkRequest& request, const std::string& what) {
  SLUICE_TRY_VOID(exchange(request, what));
  return {};
}

}  // namespace sluice::gateway
