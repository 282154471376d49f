// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http2_parser.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

#include "inspect/app/http2.h"
#include "tunnels/bytes.h"

namespace sluice::inspect {
namespace {

constexpr Direction kToServer = Direction::kToServer;
constexpr Direction kToClient = Direction::kToClient;

// RFC 9113, 3.4
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kFrameHeader = 9;
// What nghttp2 takes to decode headers, and for each byte of its table as HPACK counts it.
constexpr size_t kInflaterBytes = 4096;
constexpr size_t kTableCopies = 3;

// RFC 9113, 6
enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kContinuation = 9,
};
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8, kPriority = 0x20;
constexpr uint16_t kSettingsHeaderTableSize = 1, kSettingsMaxConcurrentStreams = 3;

bool is_whole(uint8_t type) {
  return type == kHeaders || type == kRstStream || type == kSettings || type == kPushPromise ||
         type == kContinuation;
}

}  // namespace

void Http2Parser::DeleteInflater::operator()(nghttp2_hd_inflater* inflater) const {
  nghttp2_hd_inflate_del(inflater);
}

size_t Http2Parser::memory() const {
  size_t bytes = sizeof(*this);
  for (const Side& side : sides_) {
    bytes += heap_of(side.start) + heap_of(side.block);
    if (side.inflater == nullptr) continue;
    bytes += kInflaterBytes +
             kTableCopies * nghttp2_hd_inflate_get_dynamic_table_size(side.inflater.get());
  }
  for (const auto& [number, stream] : streams_) bytes += stream->memory() + kTransactionNotesBytes;
  return bytes;
}

Parsed Http2Parser::feed(Direction direction, std::span<const uint8_t> bytes,
                         TransactionSink& sink) {
  sink_ = &sink;
  direction_ = direction;
  while (!failed_ && !bytes.empty()) failed_ = !step(bytes) || failed_;
  if (!failed_) return Parsed::kMore;
  end_all();
  return Parsed::kFailed;
}

// A gap inside of DATA is passed over. Anywhere else the frames, or HPACK's table, are lost.
Parsed Http2Parser::gap(Direction direction, uint64_t length, TransactionSink& sink) {
  sink_ = &sink;
  direction_ = direction;
  Side& s = side();
  const bool inside = s.in_frame && s.frame.type == kData && s.padding_known;
  if (failed_ || !inside || length >= s.left) {
    failed_ = true;
    end_all();
    return Parsed::kFailed;
  }
  s.left -= static_cast<uint32_t>(length);
  if (Http2Stream* const stream = find(s.frame.stream)) stream->tell_gap(direction, length, *sink_);
  return Parsed::kMore;
}

void Http2Parser::end(Direction direction, TransactionSink& sink) {
  sink_ = &sink;
  ended_[static_cast<int>(direction)] = true;
  if (ended_[0] && ended_[1]) end_all();
}

// Takes some of `bytes`; false: the connection is given up.
bool Http2Parser::step(std::span<const uint8_t>& bytes) {
  Side& s = side();
  if (side_is(kToServer) && !s.preface_seen) return take_preface(bytes);
  if (!s.in_frame) return take_frame_header(bytes);
  if (s.frame.type == kData) return take_data(bytes);
  const size_t length = std::min<size_t>(bytes.size(), s.left);
  const std::span<const uint8_t> taken = bytes.first(length);
  bytes = bytes.subspan(length);
  s.left -= static_cast<uint32_t>(length);
  if (is_whole(s.frame.type)) s.start.append(taken.begin(), taken.end());
  if (s.left != 0) return true;
  s.in_frame = false;
  const std::string payload = std::move(s.start);
  s.start.clear();
  return on_frame({reinterpret_cast<const uint8_t*>(payload.data()), payload.size()});
}

bool Http2Parser::take_preface(std::span<const uint8_t>& bytes) {
  Side& s = side();
  const size_t length = std::min(bytes.size(), kPreface.size() - s.start.size());
  s.start.append(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
  bytes = bytes.subspan(length);
  if (!kPreface.starts_with(s.start)) return refuse("invalid_client_magic");
  s.preface_seen = s.start == kPreface;
  if (s.preface_seen) s.start.clear();
  return true;
}

bool Http2Parser::take_frame_header(std::span<const uint8_t>& bytes) {
  Side& s = side();
  const size_t length = std::min(bytes.size(), kFrameHeader - s.start.size());
  s.start.append(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
  bytes = bytes.subspan(length);
  if (s.start.size() < kFrameHeader) return true;
  tunnels::Reader reader({reinterpret_cast<const uint8_t*>(s.start.data()), s.start.size()});
  s.frame.length = static_cast<uint32_t>(reader.u8()) << 16;
  s.frame.length |= reader.be16();
  s.frame.type = reader.u8();
  s.frame.flags = reader.u8();
  s.frame.stream = reader.be32() & 0x7fffffff;
  s.start.clear();
  if (is_whole(s.frame.type) && s.frame.length > kHttp2FrameMax) return refuse("long_frame_data");
  // Nothing comes between the frames of one header block: RFC 9113, 6.10.
  const bool continues = s.frame.type == kContinuation && s.frame.stream == s.block_stream;
  if ((s.block_stream != 0 || s.frame.type == kContinuation) && !continues)
    return refuse("invalid_frame_data");
  s.left = s.frame.length;
  s.in_frame = s.left != 0 || s.frame.type == kData;
  s.padding = 0;
  s.padding_known = s.frame.type == kData && (s.frame.flags & kPadded) == 0;
  if (s.in_frame && s.left != 0) return true;
  s.in_frame = false;
  if (s.frame.type != kData) return on_frame({});
  if ((s.frame.flags & kPadded) != 0) return refuse("invalid_frame_data");
  if ((s.frame.flags & kEndStream) != 0) finish(s.frame.stream, direction_);
  return true;
}

bool Http2Parser::take_data(std::span<const uint8_t>& bytes) {
  Side& s = side();
  if (!s.padding_known) {
    s.padding = bytes[0];
    s.padding_known = true;
    bytes = bytes.subspan(1);
    if (s.padding >= s.left) return refuse("invalid_frame_data");
    s.left--;
  }
  const size_t length = std::min<size_t>(bytes.size(), s.left);
  const size_t content = std::min<size_t>(length, s.left - std::min(s.left, s.padding));
  Http2Stream* stream = find(s.frame.stream);
  if (stream == nullptr && gave_up_ && s.frame.stream != 0) stream = find_or_open(s.frame.stream);
  if (stream != nullptr && gave_up_) stream->begin_without_headers(direction_);
  if (stream != nullptr) stream->tell_data(direction_, bytes.first(content), *sink_);
  bytes = bytes.subspan(length);
  s.left -= static_cast<uint32_t>(length);
  if (s.left != 0) return true;
  s.in_frame = false;
  if ((s.frame.flags & kEndStream) != 0) finish(s.frame.stream, direction_);
  return true;
}

bool Http2Parser::on_frame(std::span<const uint8_t> payload) {
  switch (side().frame.type) {
    case kHeaders:
    case kPushPromise:
      return on_headers(payload);
    case kContinuation:
      return on_block(payload);
    case kSettings:
      return on_settings(payload);
    case kRstStream:
      reset(side().frame.stream);
      return true;
    default:
      return true;
  }
}

// RFC 9113, 6.2 and 6.6
bool Http2Parser::on_headers(std::span<const uint8_t> payload) {
  Side& s = side();
  size_t begin = 0, padding = 0;
  if ((s.frame.flags & kPadded) != 0) {
    if (payload.empty()) return refuse("invalid_frame_data");
    padding = payload[0];
    begin = 1;
  }
  const bool push = s.frame.type == kPushPromise;
  if (push) begin += 4;
  if (!push && (s.frame.flags & kPriority) != 0) begin += 5;
  if (s.frame.stream == 0 || begin + padding > payload.size()) return refuse("invalid_frame_data");
  s.block.clear();
  s.block_stream = s.frame.stream;
  s.block_flags = s.frame.flags;
  if (push) {  // a request that the server makes up: told as one
    const uint8_t* const promised = payload.data() + begin - 4;
    s.block_stream = (static_cast<uint32_t>(promised[0] & 0x7f) << 24) | (promised[1] << 16) |
                     (promised[2] << 8) | promised[3];
    s.block_flags = static_cast<uint8_t>((s.frame.flags & kEndHeaders) | kEndStream);
    if (s.block_stream == 0 || (s.frame.flags & kEndHeaders) == 0)
      return refuse("invalid_frame_data");
  }
  return on_block(payload.subspan(begin, payload.size() - begin - padding));
}

bool Http2Parser::on_block(std::span<const uint8_t> fragment) {
  Side& s = side();
  if (s.block.size() + fragment.size() > kHttp2BlockMax) return refuse("reassembly_limit_reached");
  s.block.append(fragment.begin(), fragment.end());
  if ((s.frame.flags & kEndHeaders) == 0) return true;
  return inflate_block();
}

bool Http2Parser::inflate_block() {
  Side& s = side();
  if (s.inflater == nullptr) {
    nghttp2_hd_inflater* inflater = nullptr;
    if (nghttp2_hd_inflate_new(&inflater) != 0) return false;
    s.inflater.reset(inflater);
    nghttp2_hd_inflate_change_table_size(inflater, s.table);
  }
  Http2Fields fields;
  const auto* at = reinterpret_cast<const uint8_t*>(s.block.data());
  size_t left = s.block.size();
  for (;;) {
    nghttp2_nv field;
    int flags = 0;
    const ssize_t taken = nghttp2_hd_inflate_hd2(s.inflater.get(), &field, &flags, at, left, 1);
    if (taken < 0) return refuse("invalid_header");
    at += taken;
    left -= static_cast<size_t>(taken);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 &&
        !fields.add({reinterpret_cast<const char*>(field.name), field.namelen},
                    {reinterpret_cast<const char*>(field.value), field.valuelen}))
      return refuse("reassembly_limit_reached");
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) break;
  }
  nghttp2_hd_inflate_end_headers(s.inflater.get());

  const uint32_t number = s.block_stream;
  const Direction direction = s.frame.type == kPushPromise ? kToServer : direction_;
  s.block.clear();
  s.block_stream = 0;
  Http2Stream* const stream = find_or_open(number);
  if (stream == nullptr) return true;
  held_ -= std::min(held_, stream->held());
  stream->tell_headers(direction, std::move(fields), *sink_);
  held_ += stream->held();
  while (held_ > kHttp2HeldBytesMax && streams_.size() > 1) give_up_one();
  if ((s.block_flags & kEndStream) != 0) finish(number, direction);
  return true;
}

// A smaller table is announced by the peer that compresses, in its headers; only what it may grow
// to is learnt here.
bool Http2Parser::on_settings(std::span<const uint8_t> payload) {
  if ((side().frame.flags & kAck) != 0) return true;
  if (payload.size() % 6 != 0) return refuse("invalid_frame_data");
  tunnels::Reader reader(payload);
  Side& other = sides_[static_cast<int>(opposite(direction_))];
  while (reader.remaining() >= 6) {
    const uint16_t setting = reader.be16();
    const uint32_t value = reader.be32();
    if (setting == kSettingsMaxConcurrentStreams && side_is(kToClient)) server_streams_max_ = value;
    if (setting != kSettingsHeaderTableSize || value <= other.table) continue;
    other.table = std::min(value, kHttp2TableMax);
    if (other.inflater != nullptr)
      nghttp2_hd_inflate_change_table_size(other.inflater.get(), other.table);
  }
  return true;
}

Http2Stream* Http2Parser::find(uint32_t number) {
  const auto found = streams_.find(number);
  return found == streams_.end() ? nullptr : found->second.get();
}

// Numbers only grow: one that is not open and not new has ended, while its last frames were on
// their way. But if some were given up, what is new of it is of an unknown request.
Http2Stream* Http2Parser::find_or_open(uint32_t number) {
  if (Http2Stream* const open = find(number)) return open;
  uint32_t& highest = highest_[number & 1];
  if (number <= highest && !gave_up_) return nullptr;
  if (streams_.size() == kHttp2StreamsMax) give_up_one();
  highest = std::max(highest, number);
  auto& stream = streams_[number];
  stream = std::make_unique<Http2Stream>(next_id_++, number);
  return stream.get();
}

// Who opens ever more streams and ends none hides nothing by it: what is given up has been seen. It
// is one that the server refuses, by what it has announced; else the oldest.
void Http2Parser::give_up_one() {
  if (!std::exchange(gave_up_, true)) sink_->event(nullptr, direction_, "too_many_streams");
  const size_t number = server_streams_max_ < streams_.size() ? server_streams_max_ : 0;
  reset(std::next(streams_.begin(), static_cast<std::ptrdiff_t>(number))->first);
}

void Http2Parser::finish(uint32_t number, Direction direction, FileEnd end) {
  const auto found = streams_.find(number);
  if (found == streams_.end()) return;
  Http2Stream& stream = *found->second;
  // Its request came before the upgrade, or was never seen.
  if (direction == kToClient && !stream.begun(kToServer)) stream.finish(kToServer, end, *sink_);
  stream.finish(direction, end, *sink_);
  if (!stream.ended()) return;
  held_ -= std::min(held_, stream.held());
  sink_->ended(stream);
  streams_.erase(found);
}

void Http2Parser::reset(uint32_t number) {
  finish(number, kToServer, FileEnd::kTruncated);
  finish(number, kToClient, FileEnd::kTruncated);
}

bool Http2Parser::refuse(std::string_view event) {
  sink_->event(nullptr, direction_, event);
  return false;
}

void Http2Parser::end_all() {
  for (const auto& [number, stream] : streams_) {
    stream->finish(kToServer, FileEnd::kTruncated, *sink_);
    stream->finish(kToClient, FileEnd::kTruncated, *sink_);
    sink_->ended(*stream);
  }
  streams_.clear();
  held_ = 0;
}

namespace {

Probe probe_http2(Direction direction, std::span<const uint8_t> bytes, uint16_t /*server_port*/) {
  if (direction == kToServer) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.starts_with(kPreface)) return Probe::kYes;
    return kPreface.starts_with(text) ? Probe::kMore : Probe::kNo;
  }
  // A server begins with SETTINGS of the connection, no more than some dozen of them.
  static constexpr uint8_t kBegin[] = {0, 0};
  const size_t known = std::min(bytes.size(), sizeof(kBegin));
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(known), kBegin))
    return Probe::kNo;
  if (bytes.size() < kFrameHeader) return Probe::kMore;
  const bool settings = bytes[2] % 6 == 0 && bytes[3] == kSettings && bytes[4] == 0 &&
                        std::all_of(bytes.begin() + 5, bytes.begin() + kFrameHeader,
                                    [](uint8_t byte) { return byte == 0; });
  return settings ? Probe::kYes : Probe::kNo;
}

}  // namespace

ProtocolEntry http2_entry() {
  return {AppProtocol::kHttp2, true, false, probe_http2,
          []() -> std::unique_ptr<Parser> { return std::make_unique<Http2Parser>(); }};
}

}  // namespace sluice::inspect
