// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/handed_over.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "gateway/datapath/tables.h"

namespace sluice::gateway {
namespace {

constexpr size_t kRingPages = 64;  // of one CPU; a power of two

}  // namespace

Result<std::unique_ptr<HandedOver>> HandedOver::open(int map, Taker taker) {
  std::unique_ptr<HandedOver> made(new HandedOver(std::move(taker)));
  made->rings_ = perf_buffer__new(map, kRingPages, sample, nullptr, made.get(), nullptr);
  if (!made->rings_) return fail_errno("cannot open the rings of the slow path", {}, errno);
  return made;
}

HandedOver::~HandedOver() { perf_buffer__free(rings_); }

int HandedOver::fd() const { return perf_buffer__epoll_fd(rings_); }

void HandedOver::take() { (void)perf_buffer__consume(rings_); }

void HandedOver::sample(void* self, int, void* data, uint32_t size) {
  handed_over_head head{};
  if (size < sizeof(head)) return;
  std::memcpy(&head, data, sizeof(head));
  if (head.length > size - sizeof(head)) return;  // the ring pads, it never cuts
  const auto* frame = static_cast<const uint8_t*>(data) + sizeof(head);
  static_cast<HandedOver*>(self)->taker_(head.interface, head.mtu, {frame, head.length});
}

}  // namespace sluice::gateway
