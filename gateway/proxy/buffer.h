// SPDX-License-Identifier: Apache-2.0
// Bytes on their way through the proxy. A block is taken from the pool with the first byte and goes
// back when the last one has left, so that an idle connection holds none.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "tunnels/result.h"

namespace sluice::gateway {

// Holds the largest head (16 + 64 KiB) and what the proxy adds to it. Untouched pages cost nothing.
constexpr size_t kBufferBytes = 96 * 1024;
constexpr size_t kBuffersKeptMax = 512;

class BufferPool {
 public:
  using Block = std::unique_ptr<char[]>;

  Block take() {
    if (kept_.empty()) return Block(new char[kBufferBytes]);
    Block block = std::move(kept_.back());
    kept_.pop_back();
    return block;
  }
  void give(Block block) {
    if (kept_.size() < kBuffersKeptMax) kept_.push_back(std::move(block));
  }

 private:
  std::vector<Block> kept_;
};

class Buffer {
 public:
  explicit Buffer(BufferPool& pool) : pool_(pool) {}
  ~Buffer() { clear(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::string_view data() const { return {block_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }

  // Free bytes behind the data; the data moves to the front when that makes room.
  size_t room() const { return kBufferBytes - (end_ - begin_); }
  std::span<char> writable() {
    if (!block_) block_ = pool_.take();
    if (begin_ > 0 && (empty() || end_ == kBufferBytes)) compact();
    return {block_.get() + end_, kBufferBytes - end_};
  }
  void produced(size_t bytes) { end_ += bytes; }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    SLUICE_CHECK(bytes.size() <= room());
    if (!block_) block_ = pool_.take();
    if (bytes.size() > kBufferBytes - end_) compact();
    std::memcpy(block_.get() + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
  }

  // Consumed bytes stay where they are until the next append: rewind() brings them back.
  void consume(size_t bytes) { begin_ += bytes; }
  void rewind() { begin_ = 0; }
  void release_if_empty() {
    if (empty()) clear();
  }
  void clear() {
    begin_ = end_ = 0;
    if (block_) pool_.give(std::move(block_));
  }

 private:
  void compact() {
    std::memmove(block_.get(), block_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }

  BufferPool& pool_;
  BufferPool::Block block_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace sluice::gateway
