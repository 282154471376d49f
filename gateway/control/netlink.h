// SPDX-License-Identifier: Apache-2.0
// Route netlink through libnl: requests with acknowledgement and the kernel's own words on error,
// and dumps whose records are kept as the kernel wrote them, so that they can be given back to it
// unchanged.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/control/namespaces.h"
#include "tunnels/result.h"

struct nl_sock;
struct nl_msg;

namespace sluice::gateway {

using Bytes = std::vector<uint8_t>;

// A request under construction: a family header, then attributes.
class NetlinkRequest {
 public:
  // `flags` on top of NLM_F_REQUEST | NLM_F_ACK.
  explicit NetlinkRequest(int type, int flags = 0);

  template <class Header>
  NetlinkRequest& header(const Header& header) {
    return raw(&header, sizeof header);
  }
  // Header and attributes together, as a record holds them.
  NetlinkRequest& raw(const void* data, size_t length);
  NetlinkRequest& put(int attribute, const void* data, size_t length);
  NetlinkRequest& put(int attribute, uint32_t value) {
    return put(attribute, &value, sizeof value);
  }
  NetlinkRequest& put(int attribute, const std::string& text) {
    return put(attribute, text.c_str(), text.size() + 1);
  }
  NetlinkRequest& put(int attribute, const Bytes& data) {
    return put(attribute, data.data(), data.size());
  }
  // Attributes put between begin and end are inside `attribute`.
  NetlinkRequest& begin(int attribute);
  NetlinkRequest& end();

  nl_msg* message() const { return message_.get(); }

 private:
  struct Free {
    void operator()(nl_msg* message) const;
  };
  std::unique_ptr<nl_msg, Free> message_;
  std::vector<void*> nests_;
};

// An answer of the kernel: family header and attributes.
struct NetlinkRecord {
  uint16_t type = 0;
  Bytes payload;

  // The family header; nullopt if the record is too short for it.
  template <class Header>
  std::optional<Header> header() const {
    if (payload.size() < sizeof(Header)) return std::nullopt;
    Header value;
    __builtin_memcpy(&value, payload.data(), sizeof value);
    return value;
  }
};

struct NetlinkAttribute {
  uint16_t type = 0;
  std::span<const uint8_t> data;

  // Zero if the attribute is shorter than the value.
  uint32_t u32() const;
  uint8_t u8() const { return data.empty() ? 0 : data[0]; }
  // Without the terminating zero.
  std::string text() const;
  Bytes bytes() const { return Bytes(data.begin(), data.end()); }
};

// The attributes after a header of `header_length` bytes; they point into `payload`. Stops at the
// first that does not fit.
std::vector<NetlinkAttribute> attributes_of(std::span<const uint8_t> payload, size_t header_length);
// The first of `type`.
std::optional<NetlinkAttribute> find_attribute(const std::vector<NetlinkAttribute>& attributes,
                                               int type);

// A socket that acts in the namespace it was opened for, whatever namespace its user is in.
class RouteSocket {
 public:
  static constexpr size_t kRecordsMax = 262144;  // of one dump

  static Result<RouteSocket> open(const Namespace& where);
  // The same for generic netlink.
  static Result<RouteSocket> open_generic(const Namespace& where);

  // Waits for the kernel's answer; the records it sent before the acknowledgement, most often none.
  Result<std::vector<NetlinkRecord>> exchange(const NetlinkRequest& request,
                                              const std::string& what);
  // The same for a request that has no answer but success or failure.
  Result<> send(const NetlinkRequest& request, const std::string& what);

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit RouteSocket(nl_sock* socket) : socket_(socket) {}
  static Result<RouteSocket> open(const Namespace& where, int protocol);
  // Adds what one datagram says; true when the answer is complete.
  Result<bool> receive(uint32_t sequence, const std::string& what,
                       std::vector<NetlinkRecord>& records);

  std::unique_ptr<nl_sock, Close> socket_;
};

}  // namespace sluice::gateway
