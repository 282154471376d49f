// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/splice_state.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace sluice::gateway {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kFileBytesMax = 256 << 20;  // routes of a full table, written as text

std::string hex(const Bytes& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Empty for what is no hexadecimal number of whole bytes.
Bytes from_hex(const std::string& text) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return bytes;
}

Json records_to_json(const std::vector<NetlinkRecord>& records) {
  Json list = Json::array();
  for (const NetlinkRecord& record : records) list.push_back({record.type, hex(record.payload)});
  return list;
}

std::vector<NetlinkRecord> records_from_json(const Json& list) {
  std::vector<NetlinkRecord> records;
  for (const Json& each : list)
    records.push_back({each.at(0).get<uint16_t>(), from_hex(each.at(1).get<std::string>())});
  return records;
}

Json link_to_json(const Link& link) {
  return {{"index", link.index},
          {"name", link.name},
          {"kind", link.kind},
          {"alias", link.alias},
          {"mac", hex(link.mac)},
          {"mtu", link.mtu},
          {"transmit_queue_length", link.transmit_queue_length},
          {"group", link.group},
          {"flags", link.flags}};
}

Link link_from_json(const Json& json) {
  Link link;
  json.at("index").get_to(link.index);
  json.at("name").get_to(link.name);
  json.at("kind").get_to(link.kind);
  json.at("alias").get_to(link.alias);
  link.mac = from_hex(json.at("mac").get<std::string>());
  json.at("mtu").get_to(link.mtu);
  json.at("transmit_queue_length").get_to(link.transmit_queue_length);
  json.at("group").get_to(link.group);
  json.at("flags").get_to(link.flags);
  return link;
}

Json features_to_json(const Features& features) {
  return {{"available", features.available}, {"requested", features.requested}};
}

Features features_from_json(const Json& json) {
  return {json.at("available").get<std::vector<uint32_t>>(),
          json.at("requested").get<std::vector<uint32_t>>()};
}

Json to_json(const SpliceState& state) {
  Json settings = Json::object();
  for (const Setting& setting : state.snapshot.settings) settings[setting.name] = setting.value;
  return {{"version", kVersion},
          {"netns", state.splice.netns},
          {"device", state.splice.device},
          {"gateway_namespace", state.splice.gateway_namespace},
          {"outside", state.splice.outside},
          {"inside", state.splice.inside},
          {"gateway_inode", state.gateway_inode},
          {"netns_inode", state.netns_inode},
          {"link", link_to_json(state.snapshot.link)},
          {"settings", settings},
          {"addresses", records_to_json(state.snapshot.addresses)},
          {"routes", records_to_json(state.snapshot.routes)},
          {"neighbours", records_to_json(state.snapshot.neighbours)},
          {"features", features_to_json(state.features)},
          {"peer", state.peer},
          {"peer_inode", state.peer_inode},
          {"peer_features", features_to_json(state.peer_features)}};
}

SpliceState from_json(const Json& json) {
  SpliceState state;
  json.at("netns").get_to(state.splice.netns);
  json.at("device").get_to(state.splice.device);
  json.at("gateway_namespace").get_to(state.splice.gateway_namespace);
  json.at("outside").get_to(state.splice.outside);
  json.at("inside").get_to(state.splice.inside);
  json.at("gateway_inode").get_to(state.gateway_inode);
  json.at("netns_inode").get_to(state.netns_inode);
  state.snapshot.link = link_from_json(json.at("link"));
  for (const auto& [name, value] : json.at("settings").items())
    state.snapshot.settings.push_back({name, value.get<std::string>()});
  state.snapshot.addresses = records_from_json(json.at("addresses"));
  state.snapshot.routes = records_from_json(json.at("routes"));
  state.snapshot.neighbours = records_from_json(json.at("neighbours"));
  state.features = features_from_json(json.at("features"));
  json.at("peer").get_to(state.peer);
  json.at("peer_inode").get_to(state.peer_inode);
  state.peer_features = features_from_json(json.at("peer_features"));
  return state;
}

Result<> write_whole(int fd, const std::string& text, const std::string& where) {
  for (size_t at = 0; at < text.size();) {
    ssize_t written = write(fd, text.data() + at, text.size() - at);
    if (written < 0 && errno != EINTR) return fail_errno("cannot write", where);
    if (written > 0) at += static_cast<size_t>(written);
  }
  if (fsync(fd) < 0) return fail_errno("cannot write", where);
  return {};
}

}  // namespace

std::filesystem::path state_file(const std::filesystem::path& directory, const std::string& netns,
                                 const std::string& device) {
  std::string name = netns + "-" + device + ".json";
  std::replace(name.begin(), name.end(), '/', '_');
  return directory / name;
}

Result<> save_state(const SpliceState& state, const std::filesystem::path& file) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (error) return fail_errno("cannot create", file.parent_path().string(), error.value());
  std::string beside = file.string() + ".new";
  int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno("cannot write", beside);
  Result<> written = write_whole(
      fd, to_json(state).dump(1, ' ', false, Json::error_handler_t::replace) + "\n", beside);
  close(fd);
  if (written && std::rename(beside.c_str(), file.c_str()) < 0)
    written = fail_errno("cannot write", file.string());
  if (!written) fs::remove(beside, error);
  return written;
}

Result<SpliceState> load_state(const std::filesystem::path& file) {
  std::error_code error;
  if (fs::file_size(file, error) > kFileBytesMax || error)
    return fail_errno("cannot read", file.string(), error.value());
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  try {
    Json json = Json::parse(text.str());
    if (json.at("version").get<int>() != kVersion)
      return fail("written by another version of this program", file.string());
    return from_json(json);
  } catch (const Json::exception& problem) {
    return fail(std::string("not the state of a splice: ") + problem.what(), file.string());
  }
}

}  // namespace sluice::gateway
