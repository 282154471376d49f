// SPDX-License-Identifier: Apache-2.0
// A mail (RFC 5322) and its parts (RFC 2045, 2046), read line by line while it passes by: what its
// headers say, and the content of the parts that are files, decoded.
//
// A file is a part that has a name, is an attachment by its Content-Disposition, or is neither text
// nor made of other parts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "inspect/app/lines.h"
#include "inspect/app/mime_decoders.h"

namespace sluice::inspect {

inline constexpr size_t kMimeDepthMax = 8;         // parts within parts
inline constexpr size_t kMimeHeaderMax = 8192;     // of one header, unfolded
inline constexpr size_t kMimeBoundaryMax = 256;    // RFC 2046 allows 70; a longer one is an event
inline constexpr size_t kMimeHeaderNameMax = 75;   // the same, as in Suricata
inline constexpr size_t kMimeLinePartMax = 1024;   // longer lines come in parts of this length
inline constexpr size_t kMimeContentPiece = 4096;  // of decoded content that is given at once

class MimeSink {
 public:
  virtual ~MimeSink() = default;
  // A header of the mail itself, unfolded; its name in lower case.
  virtual void mail_header(std::string_view name, std::string_view value) = 0;
  // False: its content is not wanted. `name` may be empty.
  virtual bool file_begins(std::string_view name) = 0;
  virtual void file_content(std::string_view bytes, bool begins) = 0;
  // Of a wanted one: its part, or the mail, is over.
  virtual void file_ends() = 0;
  // Something broken, by Suricata's event name; each at most once in a mail.
  virtual void mime_fault(std::string_view event) = 0;
};

class MimeParser {
 public:
  using LineEnd = LinePartReader::End;

  // A line without its end; one that is longer than kMimeLinePartMax in parts of that length and a
  // rest, of which only the last has an end and the first `begins`.
  void line(std::string_view text, bool begins, LineEnd end, MimeSink& sink);
  // Gives what has been decoded so far.
  void flush(MimeSink& sink);
  // The mail is over.
  void finish(MimeSink& sink);

  // Beside itself.
  size_t memory() const;

 private:
  enum class State : uint8_t { kHeaders, kContent, kBetween };
  enum Fault : uint8_t {
    kMalformed,
    kBase64,
    kQuotedPrintable,
    kLongHeader,
    kLongName,
    kLongBoundary,
    kLongLine,
    kFaults
  };
  struct Plain {};
  struct Around {
    std::string boundary;
    size_t depth;  // of the mail that it is a part of
  };

  void header_line(std::string_view text, bool begins, LineEnd end, MimeSink& sink);
  void header_ends(MimeSink& sink);
  void begin_part(size_t depth);
  void begin_content(MimeSink& sink);
  bool boundary(std::string_view text, MimeSink& sink);
  void content(std::string_view text, LineEnd end, MimeSink& sink);
  void end_content(MimeSink& sink);
  void give(MimeSink& sink);
  void fault(Fault fault, MimeSink& sink);

  State state_ = State::kHeaders;
  bool mail_ = true;    // the headers are the mail's own
  size_t depth_ = 0;    // of this mail within mails
  std::string header_;  // that may go on in the next line
  std::string content_type_, disposition_, encoding_;
  std::vector<Around> around_;  // the parts that this one is in
  std::variant<Plain, Base64Decoder, QuotedPrintableDecoder> decoder_;
  bool file_wanted_ = false;
  bool file_given_ = false;    // some of its content
  std::string_view line_end_;  // of the last line: the boundary's, if one follows
  std::string content_;        // decoded, not given yet
  bool faults_[kFaults] = {};
};

}  // namespace sluice::inspect
