// SPDX-License-Identifier: Apache-2.0
// One HTTP/2 connection: frames, header blocks and streams.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "inspect/app/http2_stream.h"
#include "inspect/app/parser.h"

struct nghttp2_hd_inflater;

namespace sluice::inspect {

class Http2Parser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override;
  Parsed gap(Direction direction, uint64_t length, TransactionSink& sink) override;
  void end(Direction direction, TransactionSink& sink) override;

  size_t memory() const override;

 private:
  struct Frame {
    uint32_t length = 0;
    uint8_t type = 0, flags = 0;
    uint32_t stream = 0;
  };
  struct DeleteInflater {
    void operator()(nghttp2_hd_inflater* inflater) const;
  };
  struct Side {
    std::unique_ptr<nghttp2_hd_inflater, DeleteInflater> inflater;  // of what this side sends
    std::string start;  // the preface, a frame's header, or a frame that is looked at whole
    bool preface_seen = false;
    Frame frame;
    bool in_frame = false;
    uint32_t left = 0;     // of a frame that streams by
    uint32_t padding = 0;  // at the end of left
    bool padding_known = false;
    std::string block;          // header fragments
    uint32_t block_stream = 0;  // 0: no block is open
    uint8_t block_flags = 0;
    uint32_t table = 4096;  // HPACK's, as the other side allows it
  };

  bool step(std::span<const uint8_t>& bytes);
  bool take_preface(std::span<const uint8_t>& bytes);
  bool take_frame_header(std::span<const uint8_t>& bytes);
  bool take_data(std::span<const uint8_t>& bytes);
  bool on_frame(std::span<const uint8_t> payload);
  bool on_headers(std::span<const uint8_t> payload);
  bool on_block(std::span<const uint8_t> fragment);
  bool on_settings(std::span<const uint8_t> payload);
  bool inflate_block();
  Http2Stream* find(uint32_t number);
  Http2Stream* find_or_open(uint32_t number);
  void give_up_one();
  void finish(uint32_t number, Direction direction, FileEnd end = FileEnd::kClosed);
  void reset(uint32_t number);
  bool refuse(std::string_view event);
  bool side_is(Direction direction) const { return direction_ == direction; }
  Side& side() { return sides_[static_cast<int>(direction_)]; }
  void end_all();

  std::map<uint32_t, std::unique_ptr<Http2Stream>> streams_;
  uint32_t highest_[2] = {0, 0};  // stream, of even and odd numbers
  uint64_t next_id_ = 0;
  size_t held_ = 0;
  uint32_t server_streams_max_ = UINT32_MAX;  // that are open at once
  Side sides_[2];
  bool ended_[2] = {false, false};
  bool failed_ = false;
  bool gave_up_ = false;  // streams, so that those that follow have room

  TransactionSink* sink_ = nullptr;  // during a call
  Direction direction_ = Direction::kToServer;
};

}  // namespace sluice::inspect
