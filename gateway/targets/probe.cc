// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/probe.h"

#include <algorithm>
#include <array>

#include "gateway/targets/grpc_call.h"
#include "gateway/targets/http_answer.h"
#include "gateway/targets/probe_stream.h"

namespace sluice::gateway {
namespace {

using Chunk = std::array<char, 2048>;

bool is_shortage(const Error& error) {
  const int code = error.code.value();
  // A bind() says EADDRNOTAVAIL of an address that is not here, a connect() of ports that are gone.
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM || code == EAGAIN ||
         (code == EADDRNOTAVAIL && error.what == "cannot connect");
}

ProbeResult broken(const Error& error) {
  const std::string text = error.code ? error.code.message() : error.what;
  if (error.code.value() == ETIMEDOUT) return {ProbeOutcome::kTimeout, -1, "no answer in time"};
  return {is_shortage(error) ? ProbeOutcome::kNotMade : ProbeOutcome::kFailed, -1, text};
}

ProbeResult judge(const CodeRanges& codes, int code, const char* word) {
  return {codes.contains(code) ? ProbeOutcome::kSucceeded : ProbeOutcome::kMismatch, code,
          word + std::to_string(code)};
}

std::string request_text(const ProbeRequest& request) {
  return "GET " + request.path + " HTTP/1.1\r\nHost: " + request.host +
         "\r\nConnection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\n"
         "Accept-Encoding: gzip, compressed\r\n\r\n";
}

// Lets the target finish what it is saying: closing before that would be a reset in its log.
Task<> read_the_rest(EventLoop& loop, ProbeStream& stream, uint64_t deadline_ms) {
  stream.set_deadline(std::min(deadline_ms, loop.now_ms() + kProbeRestMs));
  Chunk chunk;
  for (size_t taken = 0; taken < kProbeRestBytesMax;) {
    const auto count = co_await stream.receive(chunk);
    if (!count || *count == 0) co_return;
    taken += *count;
  }
}

Task<ProbeResult> ask_http(EventLoop& loop, ProbeStream& stream, const ProbeRequest& request,
                           uint64_t deadline_ms) {
  const std::string text = request_text(request);
  // A target may answer and close before it has read the question: what it said counts.
  (void)co_await stream.send(text);
  HttpAnswer answer;
  Chunk chunk;
  while (answer.state() == HttpAnswer::State::kMore) {
    const auto count = co_await stream.receive(chunk);
    if (!count) co_return broken(count.error());
    if (*count == 0) co_return ProbeResult{ProbeOutcome::kFailed, -1, "closed without an answer"};
    answer.add({chunk.data(), *count});
  }
  if (answer.state() == HttpAnswer::State::kBad)
    co_return ProbeResult{ProbeOutcome::kFailed, -1, "the answer is no HTTP"};
  co_await read_the_rest(loop, stream, deadline_ms);
  co_return judge(request.codes, answer.status(), "answered ");
}

ProbeResult judge_grpc(const GrpcCall& call, const CodeRanges& codes) {
  if (call.http_status() != 0 && call.http_status() != 200)
    return {ProbeOutcome::kMismatch, -1,
            "answered HTTP status " + std::to_string(call.http_status())};
  if (!call.grpc_status()) return {ProbeOutcome::kFailed, -1, "no gRPC status in the answer"};
  return judge(codes, *call.grpc_status(), "answered gRPC code ");
}

Task<ProbeResult> ask_grpc(ProbeStream& stream, const ProbeRequest& request) {
  GrpcCall call(request.host, request.path);
  Chunk chunk;
  while (!call.ended()) {
    const std::string out = call.output();
    if (auto sent = co_await stream.send(out); !sent) co_return broken(sent.error());
    const auto count = co_await stream.receive(chunk);
    if (!count) co_return broken(count.error());
    if (*count == 0) break;
    if (auto taken = call.input({chunk.data(), *count}); !taken) co_return broken(taken.error());
  }
  co_return judge_grpc(call, request.codes);
}

}  // namespace

SocketAddress socket_address(const IpAddress& address, uint16_t port) {
  auto parsed = SocketAddress::parse(address.text(), port);
  SLUICE_CHECK(parsed);  // the text of an address is an address
  return *parsed;
}

Task<ProbeResult> probe(EventLoop& loop, std::shared_ptr<const ProbeRequest> request,
                        std::shared_ptr<ssl_ctx_st> tls, uint64_t deadline_ms) {
  auto stream = co_await ProbeStream::open(loop, request->to, request->from, deadline_ms);
  const bool accepted = stream || stream.error().code.value() == ECONNRESET;
  if (request->protocol == HealthProtocol::kTcp && accepted)
    co_return ProbeResult{ProbeOutcome::kSucceeded, -1, "connected"};
  if (!stream) co_return broken(stream.error());
  if (request->protocol == HealthProtocol::kGrpc) co_return co_await ask_grpc(**stream, *request);
  if (request->protocol == HealthProtocol::kHttps) {
    auto started = co_await (*stream)->start_tls(tls.get());
    if (!started) co_return broken(started.error());
  }
  co_return co_await ask_http(loop, **stream, *request, deadline_ms);
}

}  // namespace sluice::gateway
