// SPDX-License-Identifier: Apache-2.0
// Heads and bodies. The first byte chooses request or response and how the rest is cut; the answer
// must not depend on the cut, and what is read must be re-written into the same body.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/proxy/body.h"
#include "gateway/proxy/http1.h"

namespace sluice::gateway {
namespace {

struct Answer {
  int status = -1;
  size_t end = 0;
  std::string body;
  bool complete = false;
  bool bad = false;
  bool operator==(const Answer&) const = default;
};

void read_body(BodyReader reader, std::string_view input, size_t piece, Answer* answer) {
  size_t at = 0;
  while (!reader.done() && !reader.bad() && at < input.size()) {
    auto step = reader.read(input.substr(at, piece));
    answer->body += step.data;
    at += step.consumed;
  }
  answer->end += at;
  answer->complete = reader.done();
  answer->bad = reader.bad();
}

void parse(std::string_view head, bool is_request, std::string_view rest, size_t piece,
           Answer* answer) {
  std::optional<HttpRefusal> refusal;
  RequestHead request;
  ResponseHead response;
  if (is_request) {
    refusal = parse_request_head(head, &request);
  } else {
    refusal = parse_response_head(head, false, &response);
  }
  answer->status = refusal ? refusal->status : 0;
  if (refusal) return;
  const HttpFields& fields = is_request ? static_cast<HttpFields&>(request) : response;
  read_body(BodyReader(fields.framing, fields.content_length), rest, piece, answer);
}

Answer read(std::string_view input, bool is_request, size_t piece) {
  HeadScanner scanner = is_request ? HeadScanner::for_request() : HeadScanner::for_response();
  Answer answer;
  for (size_t size = 0;; size = std::min(size + piece, input.size())) {
    auto state = scanner.scan(input.substr(0, size));
    if (state == HeadScanner::State::kRefused) answer.status = scanner.refusal().status;
    if (state == HeadScanner::State::kComplete) {
      answer.end = scanner.end();
      parse(scanner.head_in(input), is_request, input.substr(scanner.end()), piece, &answer);
    }
    if (state != HeadScanner::State::kMore || size == input.size()) return answer;
  }
}

void check_rewrite(const Answer& answer) {
  if (answer.body.size() > kBufferBytes / 2) return;
  BufferPool pool;
  Buffer out(pool);
  BodyWriter writer(Framing::kChunked);
  writer.write(out, answer.body);
  writer.finish(out);
  Answer again;
  read_body(BodyReader(Framing::kChunked, 0), out.data(), out.data().size(), &again);
  if (!again.complete || again.body != answer.body) std::abort();
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::gateway;
  if (size == 0) return 0;
  bool is_request = (data[0] & 1) != 0;
  size_t piece = 1 + (data[0] >> 1);
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  Answer whole = read(input, is_request, input.size() + 1);
  if (!(read(input, is_request, piece) == whole)) std::abort();
  check_rewrite(whole);
  return 0;
}
