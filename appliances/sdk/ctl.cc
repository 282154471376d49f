// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/ctl.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <vector>

#include "appliances/sdk/control_server.h"
#include "appliances/sdk/socket.h"

namespace sluice::sdk {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Result<Socket> connect_to(const std::string& path, int wait_seconds) {
  SLUICE_TRY(const sockaddr_un address, unix_address(path));
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.open()) return fail_errno("cannot open a unix socket", path);
  const timeval wait{wait_seconds, 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
  if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("no appliance answers here", path);
  return socket;
}

Result<> send_all(const Socket& socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = send(socket.fd(), text.data(), text.size(), MSG_NOSIGNAL);
    if (count < 0) return fail_errno("cannot send the request");
    text.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<std::string> receive_line(const Socket& socket) {
  std::string line;
  std::vector<char> chunk(64 << 10);
  while (line.size() < kReplyBytesMax) {
    const ssize_t count = recv(socket.fd(), chunk.data(), chunk.size(), 0);
    if (count < 0) return fail_errno("the appliance does not answer");
    if (count == 0) return fail("the appliance closed the connection without an answer");
    line.append(chunk.data(), static_cast<size_t>(count));
    if (line.back() == '\n') return line;
  }
  return fail("the appliance's answer does not end");
}

std::string text_of(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

// Columns aligned, numbers to the right; the first object names them.
std::string table_of(const ordered_json& objects) {
  std::vector<std::string> names;
  std::vector<size_t> widths;
  for (const auto& [name, value] : objects[0].items()) {
    names.push_back(name);
    widths.push_back(name.size());
    for (const auto& object : objects)
      if (object.contains(name))
        widths.back() = std::max(widths.back(), text_of(object[name]).size());
  }
  std::string out;
  const auto add_line = [&](const auto& cell) {
    for (size_t i = 0; i < names.size(); i++) {
      const std::string text = cell(names[i]);
      const std::string padding(widths[i] - text.size(), ' ');
      out += (i == 0 ? "" : "  ") +
             (objects[0][names[i]].is_number() ? padding + text : text + padding);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += "\n";
  };
  add_line([](const std::string& name) { return name; });
  for (const auto& object : objects)
    add_line([&](const std::string& name) {
      return object.contains(name) ? text_of(object[name]) : std::string();
    });
  return out;
}

bool is_table(const ordered_json& value) {
  return value.is_array() && !value.empty() &&
         std::ranges::all_of(value, [](const auto& row) { return row.is_object(); });
}

}  // namespace

Result<json> make_request(const std::string& command, std::span<const std::string> fields) {
  json request{{"command", command}};
  for (const std::string& field : fields) {
    const size_t equals = field.find('=');
    if (equals == 0 || equals == std::string::npos) return fail("not NAME=VALUE", field);
    const std::string text = field.substr(equals + 1);
    json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
    request[field.substr(0, equals)] = value.is_discarded() ? json(text) : std::move(value);
  }
  return request;
}

Result<ordered_json> ask_appliance(const std::string& socket, const json& request,
                                   int wait_seconds) {
  SLUICE_TRY(const Socket connection, connect_to(socket, wait_seconds));
  const auto line = request.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  SLUICE_TRY_VOID(send_all(connection, line));
  SLUICE_TRY(const std::string text, receive_line(connection));
  ordered_json reply = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!reply.is_object() || !reply.contains("ok"))
    return fail("the answer is no reply of an appliance", socket);
  if (reply["ok"] == true) {
    reply.erase("ok");
    return reply;
  }
  const bool explained = reply.contains("error") && reply["error"].is_string();
  return fail(explained ? reply["error"].get<std::string>() : "refused without a reason");
}

std::string readable(const ordered_json& reply) {
  std::string out;
  for (const auto& [name, value] : reply.items()) {
    if (name == "text" && value.is_string())
      out += value.get<std::string>();
    else if (is_table(value))
      out += (out.empty() ? "" : "\n") + table_of(value);
    else if (value.is_object())
      for (const auto& [inner, field] : value.items())
        out += name + "." + inner + ": " + text_of(field) + "\n";
    else
      out += name + ": " + text_of(value) + "\n";
  }
  return out;
}

}  // namespace sluice::sdk
