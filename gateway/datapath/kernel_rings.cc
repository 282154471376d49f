// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/kernel_rings.h"

#include <bpf/libbpf.h>

#include <cerrno>

namespace sluice::gateway {

Result<std::unique_ptr<Rings>> KernelRings::open(int map, size_t pages, Taker taker) {
  std::unique_ptr<KernelRings> made(new KernelRings(std::move(taker)));
  made->rings_ = perf_buffer__new(map, pages, sample, nullptr, made.get(), nullptr);
  if (!made->rings_) return fail_errno("cannot open the rings of the packet path", {}, errno);
  return made;
}

KernelRings::~KernelRings() { perf_buffer__free(rings_); }

int KernelRings::fd() const { return perf_buffer__epoll_fd(rings_); }

void KernelRings::take() { (void)perf_buffer__consume(rings_); }

void KernelRings::sample(void* self, int, void* data, uint32_t size) {
  static_cast<KernelRings*>(self)->taker_({static_cast<const uint8_t*>(data), size});
}

}  // namespace sluice::gateway
