// SPDX-License-Identifier: Apache-2.0
// Single checks against targets that answer well, badly, late and not at all.
#include "gateway/targets/probe.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "gateway/proxy/socket.h"
#include "gateway/targets/grpc_call.h"
#include "gateway/targets/http_answer.h"
#include "gateway/targets/probe_stream.h"

namespace sluice::gateway {
namespace {

constexpr uint64_t kLongMs = 20'000;  // never waited for unless something is wrong

class ProbeTest : public testing::Test {
 protected:
  ProbeTest() : loop(std::move(*EventLoop::create())) {
    listener = std::move(*listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 16));
  }

  ProbeRequest request(HealthProtocol protocol, const char* codes = "200-399") {
    ProbeRequest asked;
    asked.to = SocketAddress::local_of(listener.get());
    asked.protocol = protocol;
    asked.host = "10.1.0.80:443";
    asked.path = "/up?now=1";
    asked.codes = *CodeRanges::parse(codes, 0, 599);
    return asked;
  }

  ProbeResult run(const ProbeRequest& asked, uint64_t wait_ms = kLongMs) {
    ProbeResult result;
    loop->spawn(store(asked, wait_ms, result));
    while (loop->tasks() > 0) loop->turn(100);
    return result;
  }

  // Takes one connection in a thread of its own, which may block.
  template <class Serve>
  std::jthread serve(Serve work) {
    return std::jthread([this, work] {
      sockaddr_storage raw;
      socklen_t size = sizeof raw;
      while (true) {
        UniqueFd client(::accept(listener.get(), reinterpret_cast<sockaddr*>(&raw), &size));
        if (!client) {
          std::this_thread::yield();
          continue;
        }
        work(client.get());
        return;
      }
    });
  }

  static std::string read_until(int fd, std::string_view end) {
    std::string text;
    char byte;
    while (!text.ends_with(end) && ::recv(fd, &byte, 1, 0) == 1) text += byte;
    return text;
  }
  static void say(int fd, std::string_view text) {
    (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }

  std::unique_ptr<EventLoop> loop;
  UniqueFd listener;

 private:
  Task<> store(ProbeRequest asked, uint64_t wait_ms, ProbeResult& out) {
    const auto tls = asked.protocol == HealthProtocol::kHttps ? make_probe_tls() : nullptr;
    out = co_await probe(*loop, std::make_shared<const ProbeRequest>(asked), tls,
                         loop->now_ms() + wait_ms);
  }
};

TEST_F(ProbeTest, AsksAsAwsDoes) {
  std::string asked;
  auto target = serve([&](int fd) {
    asked = read_until(fd, "\r\n\r\n");
    say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
  });
  const ProbeResult result = run(request(HealthProtocol::kHttp));
  target.join();
  EXPECT_EQ(result.outcome, ProbeOutcome::kSucceeded);
  EXPECT_EQ(result.code, 204);
  EXPECT_EQ(result.description, "answered 204");
  EXPECT_EQ(asked,
            "GET /up?now=1 HTTP/1.1\r\nHost: 10.1.0.80:443\r\nConnection: close\r\n"
            "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n");
}

TEST_F(ProbeTest, WhatTargetsAnswer) {
  struct Row {
    const char* answer;
    ProbeOutcome outcome;
    const char* description;
  };
  const Row rows[] = {
      {"HTTP/1.1 200 OK\r\n\r\n", ProbeOutcome::kSucceeded, "answered 200"},
      {"HTTP/1.0 399\r\n", ProbeOutcome::kSucceeded, "answered 399"},
      {"HTTP/1.1 200 OK\n", ProbeOutcome::kSucceeded, "answered 200"},
      {"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n", ProbeOutcome::kSucceeded,
       "answered 200"},
      {"HTTP/1.1 503 Service Unavailable\r\n\r\n", ProbeOutcome::kMismatch, "answered 503"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", ProbeOutcome::kMismatch, "answered 101"},
      {"HTTP/1.1 200 OK", ProbeOutcome::kFailed, "closed without an answer"},
      {"", ProbeOutcome::kFailed, "closed without an answer"},
      {"SSH-2.0-OpenSSH_9.2\r\n", ProbeOutcome::kFailed, "the answer is no HTTP"},
      {"HTTP/1.1 2000 OK\r\n", ProbeOutcome::kFailed, "the answer is no HTTP"},
      {"HTTP/2.0 200 OK\r\n", ProbeOutcome::kFailed, "the answer is no HTTP"},
      {"HTTP/1.1 099 x\r\n", ProbeOutcome::kFailed, "the answer is no HTTP"},
  };
  for (const Row& row : rows) {
    auto target = serve([&](int fd) {
      read_until(fd, "\r\n\r\n");
      say(fd, row.answer);
    });
    const ProbeResult result = run(request(HealthProtocol::kHttp));
    EXPECT_EQ(result.outcome, row.outcome) << row.answer;
    EXPECT_EQ(result.description, row.description) << row.answer;
  }
}

// Some appliances answer at once, never read the question and reset.
TEST_F(ProbeTest, AResetBehindTheStatusLineIsAnAnswer) {
  auto target = serve([](int fd) {
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    const linger now{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  });
  EXPECT_EQ(run(request(HealthProtocol::kHttp)).outcome, ProbeOutcome::kSucceeded);
}

TEST_F(ProbeTest, AConnectionThatIsResetWasAccepted) {
  auto target = serve([](int fd) {
    const linger now{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  });
  EXPECT_EQ(run(request(HealthProtocol::kTcp)).outcome, ProbeOutcome::kSucceeded);
}

TEST_F(ProbeTest, AResetBeforeItIsNone) {
  auto target = serve([](int fd) {
    read_until(fd, "\r\n\r\n");
    const linger now{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  });
  const ProbeResult result = run(request(HealthProtocol::kHttp));
  EXPECT_EQ(result.outcome, ProbeOutcome::kFailed);
  EXPECT_EQ(result.description, "Connection reset by peer");
}

TEST_F(ProbeTest, SilenceIsATimeout) {
  // The kernel accepts; nobody reads.
  for (HealthProtocol protocol :
       {HealthProtocol::kHttp, HealthProtocol::kHttps, HealthProtocol::kGrpc}) {
    const ProbeResult result = run(request(protocol), 30);
    EXPECT_EQ(result.outcome, ProbeOutcome::kTimeout);
    EXPECT_EQ(result.description, "no answer in time");
  }
}

TEST_F(ProbeTest, ATargetThatTalksWithoutEndIsLeft) {
  auto target = serve([](int fd) {
    const std::string flood(4096, 'x');
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (::send(fd, flood.data(), flood.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  EXPECT_EQ(run(request(HealthProtocol::kHttp)).outcome, ProbeOutcome::kSucceeded);
}

TEST_F(ProbeTest, ALineWithoutEndIsNoHttp) {
  auto target = serve([](int fd) {
    const std::string flood(4096, 'x');
    while (::send(fd, flood.data(), flood.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  EXPECT_EQ(run(request(HealthProtocol::kHttp)).description, "the answer is no HTTP");
}

TEST(HttpAnswer, TheSameHoweverItIsCut) {
  const std::string text =
      "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /\r\n\r\nbody";
  for (size_t cut = 0; cut <= text.size(); cut++) {
    HttpAnswer answer;
    const bool early = answer.add(text.substr(0, cut)) == HttpAnswer::State::kStatus;
    EXPECT_EQ(early, cut >= text.find("Location")) << cut;
    EXPECT_EQ(answer.add(text.substr(cut)), HttpAnswer::State::kStatus);
    EXPECT_EQ(answer.status(), 302);
  }
  HttpAnswer endless;
  for (size_t taken = 0; taken <= HttpAnswer::kBytesMax; taken += 25)
    endless.add("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(endless.state(), HttpAnswer::State::kBad);
}

// A TLS target with a certificate of a key made now, signed by nobody else.
struct TlsTarget {
  TlsTarget() : context(SSL_CTX_new(TLS_server_method())), key(EVP_RSA_gen(2048)) {
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -10);
    X509_gmtime_adj(X509_getm_notAfter(certificate), -5);  // expired, too
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
  }
  ~TlsTarget() {
    SSL_CTX_free(context);
    EVP_PKEY_free(key);
  }
  // Reads the request and gives `answer`.
  void talk(int fd, const std::string& answer) const {
    SSL* tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    char chunk[1024];
    if (SSL_accept(tls) == 1 && SSL_read(tls, chunk, sizeof chunk) > 0)
      SSL_write(tls, answer.data(), static_cast<int>(answer.size()));
    SSL_free(tls);
  }
  SSL_CTX* context;
  EVP_PKEY* key;
};

TEST_F(ProbeTest, HttpsTakesAnyCertificate) {
  const TlsTarget tls;
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_min_proto_version(tls.context, version);
    SSL_CTX_set_max_proto_version(tls.context, version);
    auto target = serve([&](int fd) { tls.talk(fd, "HTTP/1.1 200 OK\r\n\r\n"); });
    const ProbeResult result = run(request(HealthProtocol::kHttps));
    EXPECT_EQ(result.outcome, ProbeOutcome::kSucceeded) << result.description;
  }
  auto target = serve([&](int fd) { tls.talk(fd, "HTTP/1.1 500 Oops\r\n\r\n"); });
  EXPECT_EQ(run(request(HealthProtocol::kHttps)).outcome, ProbeOutcome::kMismatch);
}

TEST_F(ProbeTest, HttpsOfATargetWithoutTlsFails) {
  auto target = serve([](int fd) {
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    read_until(fd, "never");
  });
  const ProbeResult result = run(request(HealthProtocol::kHttps));
  EXPECT_EQ(result.outcome, ProbeOutcome::kFailed);
  EXPECT_TRUE(result.description.starts_with("TLS: ")) << result.description;
}

// nghttp2's server side: answers with headers and, behind them, a trailer.
class GrpcTarget {
 public:
  GrpcTarget(int fd, const char* status, const char* grpc_status)
      : fd_(fd), status_(status), grpc_status_(grpc_status) {}

  void talk() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &GrpcTarget::on_frame);
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    std::array<uint8_t, 4096> chunk;
    while (true) {
      const uint8_t* out = nullptr;
      for (ssize_t size; (size = nghttp2_session_mem_send(session_, &out)) > 0;)
        say(std::string_view(reinterpret_cast<const char*>(out), static_cast<size_t>(size)));
      const ssize_t got = ::recv(fd_, chunk.data(), chunk.size(), 0);
      if (got <= 0) break;
      if (nghttp2_session_mem_recv(session_, chunk.data(), static_cast<size_t>(got)) < 0) break;
    }
    nghttp2_session_del(session_);
  }

 private:
  void say(std::string_view text) { (void)!::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  static nghttp2_nv pair(const char* name, const char* value) {
    return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)),
            reinterpret_cast<uint8_t*>(const_cast<char*>(value)), strlen(name), strlen(value),
            NGHTTP2_NV_FLAG_NONE};
  }
  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    auto* self = static_cast<GrpcTarget*>(user);
    // The same bit means "acknowledged" in SETTINGS, a frame of no stream.
    if (frame->hd.stream_id == 0 || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    const nghttp2_nv headers[] = {pair(":status", self->status_),
                                  pair("content-type", "application/grpc")};
    nghttp2_data_provider body{};
    body.source.ptr = self;
    body.read_callback = &GrpcTarget::read_body;
    return nghttp2_submit_response(session, frame->hd.stream_id, headers, 2, &body);
  }
  static ssize_t read_body(nghttp2_session* session, int32_t stream, uint8_t*, size_t,
                           uint32_t* flags, nghttp2_data_source* source, void*) {
    auto* self = static_cast<GrpcTarget*>(source->ptr);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (self->grpc_status_ == nullptr) return 0;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const nghttp2_nv trailer[] = {pair("grpc-status", self->grpc_status_)};
    nghttp2_submit_trailer(session, stream, trailer, 1);
    return 0;
  }

  int fd_;
  const char* status_;
  const char* grpc_status_;
  nghttp2_session* session_ = nullptr;
};

TEST_F(ProbeTest, GrpcCodesAreMatched) {
  struct Row {
    const char* status;
    const char* grpc_status;
    ProbeOutcome outcome;
    const char* description;
  };
  const Row rows[] = {
      {"200", "12", ProbeOutcome::kSucceeded, "answered gRPC code 12"},
      {"200", "0", ProbeOutcome::kMismatch, "answered gRPC code 0"},
      {"200", nullptr, ProbeOutcome::kFailed, "no gRPC status in the answer"},
      {"200", "100", ProbeOutcome::kFailed, "no gRPC status in the answer"},
      {"503", nullptr, ProbeOutcome::kMismatch, "answered HTTP status 503"},
  };
  for (const Row& row : rows) {
    auto target = serve([&](int fd) { GrpcTarget(fd, row.status, row.grpc_status).talk(); });
    const ProbeResult result = run(request(HealthProtocol::kGrpc, "12"));
    EXPECT_EQ(result.outcome, row.outcome) << row.description;
    EXPECT_EQ(result.description, row.description);
  }
}

TEST_F(ProbeTest, GrpcOfATargetThatSpeaksHttp1Fails) {
  auto target = serve([](int fd) { say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n"); });
  EXPECT_EQ(run(request(HealthProtocol::kGrpc)).outcome, ProbeOutcome::kFailed);
}

TEST(GrpcCall, AFloodIsRefused) {
  GrpcCall call("h", "/p");
  // SETTINGS, then PINGs without end.
  std::string bytes("\0\0\0\4\0\0\0\0\0", 9);
  const std::string ping(
      "\0\0\x08\6\1\0\0\0\0"
      "12345678",
      17);
  size_t taken = 0;
  auto result = call.input(bytes);
  ASSERT_TRUE(result);
  while (result && taken < 2 * GrpcCall::kBytesMax) {
    result = call.input(ping);
    taken += ping.size();
  }
  EXPECT_EQ(result ? "" : result.error().what, "the answer is too long");
}

TEST_F(ProbeTest, AWantOfDescriptorsSaysNothingOfTheTarget) {
  const int taken = ::dup(0);
  ::close(taken);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{static_cast<rlim_t>(taken), before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const ProbeResult result = run(request(HealthProtocol::kTcp));
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(result.outcome, ProbeOutcome::kNotMade);
}

}  // namespace
}  // namespace sluice::gateway
