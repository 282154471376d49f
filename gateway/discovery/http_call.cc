// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/http_call.h"

#include <array>

#include "gateway/proxy/http1.h"

namespace sluice::gateway {
namespace {

Failure passed_on(Error error) { return Failure(std::move(error)); }

}  // namespace

Task<Result<std::unique_ptr<HttpCall>>> HttpCall::post(EventLoop& loop, SocketAddress to,
                                                       std::string path, std::string body,
                                                       uint64_t deadline_ms) {
  auto stream = co_await ProbeStream::open(loop, to, std::nullopt, deadline_ms);
  if (!stream) co_return passed_on(std::move(stream).error());
  std::unique_ptr<HttpCall> call(new HttpCall(std::move(*stream)));
  const std::string request = "POST " + path + " HTTP/1.1\r\nHost: " + to.text() +
                              "\r\nContent-Type: application/json\r\nConnection: close\r\n"
                              "Content-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  auto sent = co_await call->stream_->send(request);
  if (!sent) co_return passed_on(std::move(sent).error());
  auto head = co_await call->read_head();
  if (!head) co_return passed_on(std::move(head).error());
  co_return call;
}

Task<Result<>> HttpCall::read_head() {
  HeadScanner scanner = HeadScanner::for_response();
  HeadScanner::State state;
  while ((state = scanner.scan(input_)) == HeadScanner::State::kMore) {
    const auto more = co_await receive();
    if (!more) co_return passed_on(more.error());
    if (!*more) co_return fail("closed without an answer");
  }
  if (state == HeadScanner::State::kRefused) co_return fail("the answer is no HTTP");
  const std::string bytes(scanner.head_in(input_));
  input_.erase(0, scanner.end());
  ResponseHead head;
  if (parse_response_head(bytes, false, &head) || head.status < 200)
    co_return fail("the answer is no HTTP");
  status_ = head.status;
  body_ = BodyReader(head.framing, head.content_length);
  co_return Result<>();
}

// False at the end of the connection.
Task<Result<bool>> HttpCall::receive() {
  std::array<char, 16 * 1024> chunk;
  const auto count = co_await stream_->receive(chunk);
  if (!count) co_return passed_on(count.error());
  input_.append(chunk.data(), *count);
  co_return *count > 0;
}

Task<Result<std::string>> HttpCall::read() {
  std::string out;
  while (true) {
    const BodyReader::Step step = body_.read(input_);
    out += step.data;
    input_.erase(0, step.consumed);
    if (body_.bad()) co_return fail(body_.bad_reason());
    if (step.consumed > 0) continue;
    if (!out.empty() || body_.done()) co_return out;
    const auto more = co_await receive();
    if (!more) co_return passed_on(more.error());
    if (*more) continue;
    if (body_.end_of_stream()) co_return out;
    co_return fail("the answer ends early");
  }
}

Task<Result<std::string>> HttpCall::read_all(size_t max) {
  std::string out;
  while (true) {
    const auto piece = co_await read();
    if (!piece) co_return passed_on(piece.error());
    if (piece->empty()) co_return out;
    out += *piece;
    if (out.size() > max) co_return fail("the answer is too long");
  }
}

}  // namespace sluice::gateway
