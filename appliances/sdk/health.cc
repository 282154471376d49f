// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/health.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "appliances/sdk/socket_name.h"
#include "appliances/sdk/worker.h"

namespace sluice::sdk {

namespace {

Result<Socket> open_listener(const std::string& listen, uint16_t port) {
  const std::string where = listen + ":" + std::to_string(port);
  SLUICE_TRY(const SocketName address, parse_listen(listen, port));
  SLUICE_TRY(Socket socket, open_for(address, SOCK_STREAM | SOCK_NONBLOCK));
  const int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(socket.fd(), &address.any, length_of(address)) != 0 ||
      ::listen(socket.fd(), kHealthConnectionsMax) != 0)
    return fail_errno("cannot listen for health checks", where);
  return socket;
}

std::string response(std::string_view status, std::string_view type, std::string_view body) {
  std::string text = "HTTP/1.1 ";
  text.append(status).append("\r\nContent-Type: ").append(type);
  text.append("\r\nContent-Length: ").append(std::to_string(body.size()));
  text.append("\r\nConnection: close\r\n\r\n").append(body);
  return text;
}

}  // namespace

Result<HealthEndpoint> HealthEndpoint::create(HealthOptions options) {
  HealthEndpoint endpoint(std::move(options));
  SLUICE_TRY(endpoint.listener_, open_listener(endpoint.options_.listen, endpoint.options_.port));
  return endpoint;
}

// A TCP health check counts a finished handshake as health, and the kernel finishes handshakes by
// itself; so an appliance that does not work must not listen.
void HealthEndpoint::follow_liveness() {
  if (!options_.alive()) {
    listener_.reset();
    connections_.clear();
  } else if (!listener_.open()) {
    auto listener = open_listener(options_.listen, options_.port);
    if (listener) listener_ = std::move(*listener);
  }
}

void HealthEndpoint::poll_once(int timeout_ms) {
  follow_liveness();
  std::vector<pollfd> waits;
  waits.reserve(connections_.size() + 1);
  for (const Connection& connection : connections_) {
    const short events = connection.answer.empty() ? POLLIN : POLLOUT;
    waits.push_back({connection.socket.fd(), events, 0});
  }
  waits.push_back({listener_.fd(), POLLIN, 0});  // a closed one is -1, which poll ignores
  if (poll(waits.data(), waits.size(), timeout_ms) < 0) return;

  const int64_t now = steady_us();
  size_t at = 0;
  std::erase_if(connections_, [&](Connection& connection) {
    const bool ready = waits[at++].revents != 0;
    return (ready && !serve(connection)) || now - connection.opened_us > kHealthConnectionUs;
  });
  if (waits.back().revents != 0) accept_all();
}

void HealthEndpoint::accept_all() {
  for (size_t i = 0; i < kHealthConnectionsMax; i++) {
    Socket socket(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.open()) return;
    if (connections_.size() == kHealthConnectionsMax) connections_.erase(connections_.begin());
    connections_.push_back({std::move(socket), steady_us(), {}, {}, 0});
  }
}

bool HealthEndpoint::serve(Connection& connection) {
  if (connection.answer.empty() && !receive(connection)) return false;
  const std::string_view left = std::string_view(connection.answer).substr(connection.sent);
  if (left.empty()) return true;  // the request is not whole yet
  const ssize_t count = send(connection.socket.fd(), left.data(), left.size(), MSG_NOSIGNAL);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  connection.sent += static_cast<size_t>(count);
  if (connection.sent < connection.answer.size()) return true;
  shutdown(connection.socket.fd(), SHUT_WR);
  return false;
}

// False if the client has gone, as a plain TCP check does. Sets the answer to a whole request.
bool HealthEndpoint::receive(Connection& connection) {
  char bytes[1024];
  const ssize_t length = recv(connection.socket.fd(), bytes, sizeof(bytes), 0);
  if (length < 0) return errno == EAGAIN || errno == EINTR;
  if (length == 0) return false;
  connection.request.append(bytes, static_cast<size_t>(length));
  const bool complete = connection.request.find("\r\n\r\n") != std::string::npos;
  if (complete)
    connection.answer = answer_to(connection.request);
  else if (connection.request.size() > kHealthRequestLengthMax)
    connection.answer = response("400 Bad Request", "text/plain", "");
  return true;
}

std::string HealthEndpoint::answer_to(std::string_view request) {
  const bool head = request.starts_with("HEAD /");
  if (!head && !request.starts_with("GET /")) return response("400 Bad Request", "text/plain", "");
  request.remove_prefix(request.find('/'));
  const std::string answer = answer_at(request.substr(0, request.find_first_of(" ?\r\n")));
  return head ? answer.substr(0, answer.find("\r\n\r\n") + 4) : answer;
}

// Which path health checks ask for is the target group's to say, so no other is unknown.
std::string HealthEndpoint::answer_at(std::string_view path) {
  if (path == "/stats") return page(stats_, [this] { return make_stats(); });
  if (path == "/metrics") return page(metrics_, [this] { return make_metrics(); });
  return response("200 OK", "text/plain", "ok\n");
}

const std::string& HealthEndpoint::page(Page& page, const std::function<std::string()>& make) {
  if (page.answer.empty() || steady_us() - page.made_us > kHealthPageAgeUs)
    page = {make(), steady_us()};
  return page.answer;
}

std::string HealthEndpoint::make_stats() const {
  return response("200 OK", "application/json", options_.stats() + "\n");
}

std::string HealthEndpoint::make_metrics() const {
  const auto text = options_.metrics();
  if (text) return response("200 OK", "text/plain; version=0.0.4", *text);
  return response("503 Service Unavailable", "text/plain", text.error().text() + "\n");
}

}  // namespace sluice::sdk
