// SPDX-License-Identifier: Apache-2.0
// Reads the parameters of one action. What is wrong is noted, the first thing only, and finish()
// tells it; so a handler asks for all it knows and then looks once. A parameter that nobody asked
// for is wrong too: nothing is taken and ignored.
//
//   const std::string name = call.params.require("Name");
//   const auto port = call.params.number("Port", 1, 65535);
//   SLUICE_TRY_VOID(call.params.finish());
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/aws/aws_error.h"
#include "gateway/aws/form.h"

namespace sluice::gateway {

// The words a service has for what is wrong with a parameter.
struct ParamCodes {
  const char* missing;
  const char* invalid;
  const char* unknown;
};

class Params {
 public:
  // All outlive it. `path` is where the node stands: "Tags.member.1.".
  Params(const FormNode& node, const ParamCodes& codes, std::optional<AwsError>& error,
         std::string path = {})
      : node_(node), codes_(codes), error_(error), path_(std::move(path)) {}

  bool has(std::string_view name) const { return node_.child(name) != nullptr; }
  std::optional<std::string> text(std::string_view name);
  std::string require(std::string_view name);  // not empty
  std::optional<uint64_t> number(std::string_view name, uint64_t least, uint64_t most);
  std::optional<bool> boolean(std::string_view name);
  // One of the words.
  std::optional<std::string> choice(std::string_view name,
                                    std::initializer_list<std::string_view> words);
  std::vector<std::string> texts(std::string_view name, size_t count_max);
  std::vector<Params> structures(std::string_view name, size_t count_max);
  std::optional<Params> structure(std::string_view name);

  // Something is wrong.
  void fail(const char* code, std::string message);
  void invalid(std::string_view name, const std::string& what);
  // It is wrong that this is given.
  void unavailable(std::string_view name, const char* code, const std::string& message);

  // Of the whole request: the first thing that is wrong.
  AwsResult<> finish() const;

 private:
  const FormNode* use(std::string_view name);
  std::vector<const FormNode*> elements(std::string_view name, size_t count_max);
  std::string place(std::string_view name) const { return path_ + std::string(name); }

  const FormNode& node_;
  const ParamCodes& codes_;
  std::optional<AwsError>& error_;
  std::string path_;
};

}  // namespace sluice::gateway
