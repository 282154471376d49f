// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/http_server.h"

#include <unistd.h>

#include "gateway/api/http_connection.h"
#include "gateway/api/unix_listener.h"

namespace sluice::gateway {
namespace {

constexpr int kBacklog = 1024;
constexpr size_t kAcceptsPerTurnMax = 64;
constexpr uint64_t kAcceptPauseMs = 100;

}  // namespace

std::unique_ptr<HttpServer> HttpServer::create(EventLoop& loop, HttpLimits limits) {
  return std::unique_ptr<HttpServer>(new HttpServer(loop, limits));
}

HttpServer::HttpServer(EventLoop& loop, HttpLimits limits)
    : loop_(loop), limits_(limits), accept_again_(loop, [this] { resume_accepting(); }) {
  fallback_errors_ = json_error;
}

HttpServer::~HttpServer() {
  loop_.cancel_tasks_of(this);
  for (const auto& listener : listeners_)
    if (!listener->unix_path.empty()) ::unlink(listener->unix_path.c_str());
}

void HttpServer::route(std::string method, std::string path, Access access, Handler handler) {
  routes_.push_back({std::move(method), std::move(path), access, std::move(handler)});
}

void HttpServer::set_fallback(Handler handler, ErrorWriter errors) {
  fallback_ = std::move(handler);
  fallback_errors_ = std::move(errors);
}

Result<uint16_t> HttpServer::listen(const SocketAddress& address) {
  auto listener = std::make_unique<Listener>();
  SLUICE_TRY(listener->fd, listen_tcp(address, kBacklog));
  const uint16_t port = SocketAddress::local_of(listener->fd.get()).port();
  SLUICE_TRY_VOID(start(std::move(listener)));
  return port;
}

Result<> HttpServer::listen_on_unix(const std::string& path) {
  auto listener = std::make_unique<Listener>();
  SLUICE_TRY(listener->fd, listen_unix(path, kBacklog));
  listener->unix_path = path;
  return start(std::move(listener));
}

Result<> HttpServer::start(std::unique_ptr<Listener> listener) {
  listeners_.push_back(std::move(listener));
  return watch(*listeners_.back());
}

Result<> HttpServer::watch(Listener& listener) {
  return listener.watch.start(loop_, listener.fd.get(), EPOLLIN,
                              [this, &listener](uint32_t) { accept_some(listener); });
}

void HttpServer::accept_some(Listener& listener) {
  for (size_t i = 0; i < kAcceptsPerTurnMax; i++) {
    SocketAddress peer;
    auto fd = accept_tcp(listener.fd.get(), &peer);
    if (!fd) return accept_failed(fd.error().code.value());
    counters_.connections++;
    if (connections_ >= limits_.connections_max && !make_room()) {
      counters_.connections_refused++;
      continue;
    }
    auto socket = Socket::create(loop_, std::move(*fd));
    if (!socket) {
      counters_.accept_failures++;
      continue;
    }
    loop_.spawn(serve_http(*this, std::move(*socket), peer), this);
  }
}

// Out of descriptors the listener would be ready again at once, for ever: look away for a moment.
void HttpServer::accept_failed(int error) {
  if (error == EAGAIN || error == ECONNABORTED || error == EINTR) return;
  counters_.accept_failures++;
  make_room();
  for (const auto& listener : listeners_) listener->watch.stop();
  accept_again_.set_after(kAcceptPauseMs);
}

void HttpServer::resume_accepting() {
  for (const auto& listener : listeners_)
    if (!listener->watch.active() && !watch(*listener)) accept_again_.set_after(kAcceptPauseMs);
}

bool HttpServer::make_room() {
  if (waiting_.empty()) return false;
  counters_.connections_evicted++;
  waiting_.front()->evict();
  return true;
}

HttpResponse HttpServer::answer(const HttpRequest& request) {
  const std::string_view method = request.method == "HEAD" ? "GET" : request.method;
  std::string allowed;
  for (const Route& route : routes_) {
    if (route.path != request.path) continue;
    if (route.method == method) {
      if (route.access == Access::kGuarded && guard_)
        if (auto refusal = guard_(request)) return *refusal;
      return route.handler(request);
    }
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  if (!allowed.empty()) {
    HttpResponse response = json_error(405, "this page has other methods: " + allowed);
    response.headers.emplace_back("Allow", allowed);
    return response;
  }
  const bool query = method == "POST" || (method == "GET" && !request.query.empty());
  if (fallback_ && query) return fallback_(request);
  return json_error(404, "there is no such page");
}

HttpResponse HttpServer::refuse(bool post, int status, std::string_view message) {
  counters_.requests_refused++;
  return post ? fallback_errors_(status, message) : json_error(status, message);
}

}  // namespace sluice::gateway
