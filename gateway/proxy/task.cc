// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/task.h"

#include <array>
#include <new>
#include <vector>

namespace sluice::gateway {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeepFrames = false;  // so that the sanitizer sees a use of an ended frame
#else
constexpr bool kKeepFrames = true;
#endif

constexpr size_t kFrameStep = 128;
constexpr size_t kFrameBytesMax = 4096;  // larger frames are not kept
constexpr size_t kFramesKeptMax = 1024;  // of each size

struct FrameStore {
  std::array<std::vector<void*>, kFrameBytesMax / kFrameStep> kept;
  ~FrameStore() {
    for (auto& frames : kept) {
      for (void* frame : frames) ::operator delete(frame);
    }
  }
};

FrameStore& store() {
  thread_local FrameStore frames;
  return frames;
}

size_t size_class(size_t bytes) { return (bytes - 1) / kFrameStep; }

}  // namespace

void* task_frame_take(size_t bytes) {
  if (!kKeepFrames || bytes > kFrameBytesMax) return ::operator new(bytes);
  auto& frames = store().kept[size_class(bytes)];
  if (frames.empty()) return ::operator new((size_class(bytes) + 1) * kFrameStep);
  void* frame = frames.back();
  frames.pop_back();
  return frame;
}

void task_frame_give(void* frame, size_t bytes) {
  if (!kKeepFrames || bytes > kFrameBytesMax) return ::operator delete(frame);
  auto& frames = store().kept[size_class(bytes)];
  if (frames.size() >= kFramesKeptMax) return ::operator delete(frame);
  frames.push_back(frame);
}

}  // namespace sluice::gateway
