// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/xml.h"

#include <cstdio>
#include <ctime>

#include "gateway/aws/form.h"

namespace sluice::gateway {
namespace {

struct StringWriter : pugi::xml_writer {
  std::string out;
  void write(const void* data, size_t size) override {
    out.append(static_cast<const char*>(data), size);
  }
};

}  // namespace

void add(pugi::xml_node parent, const char* name, const std::string& value) {
  add(parent, name, is_xml_text(value) ? value.c_str() : "?");
}

std::string xml_text(const pugi::xml_document& document) {
  StringWriter writer;
  document.save(writer, "", pugi::format_raw | pugi::format_no_declaration);
  return std::move(writer.out);
}

std::string iso_time(uint64_t unix_ms) {
  const auto seconds = static_cast<time_t>(unix_ms / 1000);
  tm parts;
  gmtime_r(&seconds, &parts);
  char date[32], out[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(out, sizeof out, "%s.%03uZ", date, static_cast<unsigned>(unix_ms % 1000));
  return out;
}

}  // namespace sluice::gateway
