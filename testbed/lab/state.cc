// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/state.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "testbed/lab/topology.h"

namespace sluice::testbed {

namespace fs = std::filesystem;
using Json = nlohmann::json;

static void to_json(Json& json, const ProcessId& id) {
  json = {{"pid", id.pid}, {"start_time", id.start_time}};
}

static void from_json(const Json& json, ProcessId& id) {
  json.at("pid").get_to(id.pid);
  json.at("start_time").get_to(id.start_time);
}

static void to_json(Json& json, const RunningProgram& program) {
  json = {{"name", program.name},
          {"namespace", program.namespace_name},
          {"log", program.log},
          {"once", program.once},
          {"process", program.id}};
}

static void from_json(const Json& json, RunningProgram& program) {
  json.at("name").get_to(program.name);
  json.at("namespace").get_to(program.namespace_name);
  json.at("log").get_to(program.log);
  json.at("once").get_to(program.once);
  json.at("process").get_to(program.id);
}

namespace {

constexpr char kFile[] = "state.json";

std::string text_of(const LabState& state) {
  Json json = {
      {"name", state.name},       {"config", state.config},         {"ready", state.ready},
      {"builder", state.builder}, {"namespaces", state.namespaces}, {"programs", state.programs}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<LabState> state_of(const std::string& text, const std::string& file) {
  try {
    Json json = Json::parse(text);
    LabState state;
    json.at("name").get_to(state.name);
    json.at("config").get_to(state.config);
    json.at("ready").get_to(state.ready);
    json.at("builder").get_to(state.builder);
    json.at("namespaces").get_to(state.namespaces);
    json.at("programs").get_to(state.programs);
    return state;
  } catch (const Json::exception& error) {
    return fail(std::string("not the state of a lab: ") + error.what(), file);
  }
}

// Whole or not at all: written beside and renamed.
Result<> write_file(const fs::path& path, const std::string& text) {
  fs::path beside = path.string() + ".new";
  std::ofstream file(beside);
  file << text;
  file.close();
  if (!file) return fail_errno("cannot write", beside.string());
  if (std::rename(beside.c_str(), path.c_str()) < 0)
    return fail_errno("cannot write", path.string());
  return {};
}

}  // namespace

Result<> create_state(const LabState& state) {
  fs::path directory = run_directory(state.name);
  fs::path beside = directory.parent_path() / ("." + state.name + "." + std::to_string(getpid()));
  std::error_code error;
  fs::create_directories(beside / "logs", error);
  if (error) return fail_errno("cannot create", beside.string(), error.value());
  SLUICE_TRY_VOID(write_file(beside / kFile, text_of(state)));
  if (std::rename(beside.c_str(), directory.c_str()) == 0) return {};
  int reason = errno == ENOTEMPTY ? EEXIST : errno;
  fs::remove_all(beside, error);
  return fail_errno("cannot create", directory.string(), reason);
}

Result<> write_state(const LabState& state) {
  return write_file(fs::path(run_directory(state.name)) / kFile, text_of(state));
}

Result<LabState> read_state(const std::string& name) {
  fs::path path = fs::path(run_directory(name)) / kFile;
  std::error_code error;
  if (!fs::exists(path, error)) return fail_errno("there is no such lab", name, ENOENT);
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail_errno("cannot read", path.string());
  return state_of(text.str(), path.string());
}

Result<> delete_state(const std::string& name) {
  std::error_code error;
  fs::remove_all(run_directory(name), error);
  if (error) return fail_errno("cannot delete", run_directory(name), error.value());
  return {};
}

std::vector<std::string> list_labs() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry :
       fs::directory_iterator(fs::path(run_directory("x")).parent_path(), error)) {
    std::string name = entry.path().filename().string();
    if (name[0] != '.') names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace sluice::testbed
