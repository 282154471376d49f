// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/log.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

// The event whose line is being written: spdlog's messages have no room for fields.
thread_local const Event* current = nullptr;

std::string json_line(const std::string& time, std::string_view level, std::string_view text) {
  nlohmann::ordered_json json{{"time", time}, {"level", level}, {"text", text}};
  if (current != nullptr) {
    json["kind"] = event_kind_name(current->kind);
    for (const auto& [name, value] : current->fields) json[std::string(name)] = value;
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}
  void format(const spdlog::details::log_msg& line, spdlog::memory_buf_t& out) override {
    using std::chrono::milliseconds;
    const std::string time =
        event_time(std::chrono::duration_cast<milliseconds>(line.time.time_since_epoch()).count());
    const auto word = spdlog::level::to_string_view(line.level);
    const std::string_view level(word.data(), word.size());
    const std::string_view text(line.payload.data(), line.payload.size());
    std::string made;
    if (format_ == LogFormat::kJson)
      made = json_line(time, level, text);
    else
      made = time + " " + std::string(level) + " " + std::string(text) +
             (current == nullptr ? "" : key_values(*current));
    made += '\n';
    out.append(made.data(), made.data() + made.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  LogFormat format_;
};

spdlog::level::level_enum spdlog_level(EventLevel level) {
  if (level == EventLevel::kInfo) return spdlog::level::info;
  return level == EventLevel::kWarning ? spdlog::level::warn : spdlog::level::err;
}

}  // namespace

void start_log(LogFormat format, LogLevel level) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                   spdlog::level::warn, spdlog::level::err};
  auto logger = spdlog::get("sluiced");
  if (!logger) logger = spdlog::stderr_logger_mt("sluiced");
  spdlog::set_default_logger(logger);
  logger->set_formatter(std::make_unique<LineFormatter>(format));
  logger->set_level(kLevels[static_cast<int>(level)]);
  logger->flush_on(spdlog::level::debug);
}

std::string key_values(const Event& event) {
  std::string text;
  for (const auto& [name, value] : event.fields) {
    const bool plain = !value.empty() && std::ranges::all_of(value, [](char c) {
      return c > ' ' && c < 127 && c != '"' && c != '=' && c != '\\';
    });
    text += " " + std::string(name) + "=";
    text +=
        plain ? value
              : nlohmann::json(value).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  }
  return text;
}

void log_event(const Event& event) {
  current = &event;
  spdlog::log(spdlog_level(event.level), "{}", event.text);
  current = nullptr;
}

}  // namespace sluice::gateway
