// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/mime.h"

#include <algorithm>

#include "inspect/app/mime_header.h"

namespace sluice::inspect {

size_t MimeParser::memory() const {
  size_t bytes = heap_of(header_) + heap_of(content_type_) + heap_of(disposition_) +
                 heap_of(encoding_) + heap_of(content_) + heap_of(around_);
  for (const Around& around : around_) bytes += heap_of(around.boundary);
  return bytes;
}

void MimeParser::line(std::string_view text, bool begins, LineEnd end, MimeSink& sink) {
  if (!begins) fault(kLongLine, sink);
  if (begins && text.starts_with("--") && boundary(text, sink)) return;
  switch (state_) {
    case State::kHeaders:
      header_line(text, begins, end, sink);
      return;
    case State::kContent:
      content(text, end, sink);
      return;
    case State::kBetween:
      return;
  }
}

// Ends this part and begins the next one, if `text` is a boundary of one of those around it.
bool MimeParser::boundary(std::string_view text, MimeSink& sink) {
  for (size_t i = around_.size(); i-- != 0;) {
    const auto& [boundary, depth] = around_[i];
    std::string_view rest = text.substr(2);
    if (!rest.starts_with(boundary)) continue;
    rest = trimmed(rest.substr(boundary.size()));
    const bool last = rest == "--";
    if (!rest.empty() && !last) continue;
    if (state_ == State::kHeaders) header_ends(sink);
    end_content(sink);
    if (last)
      state_ = State::kBetween;
    else
      begin_part(depth);
    around_.resize(last ? i : i + 1);
    return true;
  }
  return false;
}

void MimeParser::begin_part(size_t depth) {
  depth_ = depth;
  state_ = State::kHeaders;
  mail_ = false;
  header_.clear();
  content_type_.clear();
  disposition_.clear();
  encoding_.clear();
}

void MimeParser::header_line(std::string_view text, bool begins, LineEnd end, MimeSink& sink) {
  if (begins && text.empty() && end != LineEnd::kNone) {
    header_ends(sink);
    begin_content(sink);
    return;
  }
  const bool folded = !begins || text.starts_with(' ') || text.starts_with('\t');
  if (!folded) header_ends(sink);
  if (header_.size() + text.size() > kMimeHeaderMax) fault(kLongHeader, sink);
  header_ += text.substr(0, kMimeHeaderMax - std::min(kMimeHeaderMax, header_.size()));
}

void MimeParser::header_ends(MimeSink& sink) {
  const size_t colon = header_.find(':');
  if (colon != std::string::npos) {
    const std::string name = lower_case(trimmed(std::string_view(header_).substr(0, colon)));
    const std::string_view value = trimmed(std::string_view(header_).substr(colon + 1));
    if (name.size() > kMimeHeaderNameMax) fault(kLongName, sink);
    if (name == "content-type" && content_type_.empty()) content_type_ = value;
    if (name == "content-disposition" && disposition_.empty()) disposition_ = value;
    if (name == "content-transfer-encoding" && encoding_.empty()) encoding_ = mime_value(value);
    if (mail_) sink.mail_header(name, value);
  }
  header_.clear();
}

void MimeParser::begin_content(MimeSink& sink) {
  const std::string type = mime_value(content_type_);
  if (type.starts_with("multipart/")) {
    std::string boundary = mime_parameter(content_type_, "boundary");
    const bool usable = !boundary.empty() && boundary.size() <= kMimeBoundaryMax;
    if (usable && around_.size() < kMimeDepthMax) {
      around_.push_back({std::move(boundary), depth_});
      state_ = State::kBetween;
      return;
    }
    fault(boundary.size() > kMimeBoundaryMax ? kLongBoundary : kMalformed, sink);
  }
  const bool encoded = encoding_ == "base64" || encoding_ == "quoted-printable";
  if (type == "message/rfc822" && depth_ < kMimeDepthMax && !encoded) {
    begin_part(depth_ + 1);
    return;
  }
  std::string name = mime_words(mime_parameter(disposition_, "filename"));
  if (name.empty()) name = mime_words(mime_parameter(content_type_, "name"));
  const bool text = type.empty() || type.starts_with("text/");
  const bool file = !text || !name.empty() || mime_value(disposition_) == "attachment";
  file_wanted_ = file && sink.file_begins(name);
  file_given_ = false;
  line_end_ = {};
  if (encoding_ == "base64")
    decoder_.emplace<Base64Decoder>();
  else if (encoding_ == "quoted-printable")
    decoder_.emplace<QuotedPrintableDecoder>();
  else
    decoder_.emplace<Plain>();
  state_ = State::kContent;
}

void MimeParser::content(std::string_view text, LineEnd end, MimeSink& sink) {
  if (!file_wanted_) return;
  const std::string_view line_end = end == LineEnd::kNone ? ""
                                    : end == LineEnd::kLf ? "\n"
                                                          : "\r\n";
  if (auto* const base64 = std::get_if<Base64Decoder>(&decoder_)) {
    if (!base64->decode(text, content_)) fault(kBase64, sink);
  } else {
    content_ += line_end_;
    line_end_ = line_end;
    if (auto* const quoted = std::get_if<QuotedPrintableDecoder>(&decoder_)) {
      if (!quoted->decode(text, content_)) fault(kQuotedPrintable, sink);
      if (end != LineEnd::kNone && !quoted->end_line(content_)) line_end_ = {};
    } else {
      content_ += text;
    }
  }
  if (content_.size() >= kMimeContentPiece) give(sink);
}

void MimeParser::give(MimeSink& sink) {
  if (content_.empty()) return;
  sink.file_content(content_, !file_given_);
  file_given_ = true;
  content_.clear();
}

void MimeParser::end_content(MimeSink& sink) {
  if (state_ == State::kContent) give(sink);
  content_.clear();
  if (file_wanted_) sink.file_ends();
  file_wanted_ = false;
}

void MimeParser::flush(MimeSink& sink) { give(sink); }

void MimeParser::finish(MimeSink& sink) {
  if (state_ == State::kHeaders) header_ends(sink);
  if (file_wanted_) content_ += line_end_;  // no boundary has claimed it
  end_content(sink);
  state_ = State::kBetween;
}

void MimeParser::fault(Fault fault, MimeSink& sink) {
  static constexpr std::string_view kEvents[] = {
      "mime_malformed_msg",    "mime_invalid_base64", "mime_invalid_qp", "mime_long_header_value",
      "mime_long_header_name", "mime_long_boundary",  "mime_long_line"};
  static_assert(std::size(kEvents) == kFaults);
  if (!faults_[fault]) sink.mime_fault(kEvents[fault]);
  faults_[fault] = true;
}

}  // namespace sluice::inspect
