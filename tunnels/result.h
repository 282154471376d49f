// SPDX-License-Identifier: Apache-2.0
// How a function of ours says that it could not: Result<T>, an expected value or an Error.
//
// For configuration, system calls, files and requests. A bad packet is not an Error: it is a
// verdict with a DropReason. A broken invariant of our own is CHECK.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace sluice {

// What went wrong, where (a path, a line and column, an address; may be empty), and the system's
// own reason if there is one.
struct Error {
  std::string what;
  std::string where;
  std::error_code code;

  // One line for a person: "where: what: reason".
  std::string text() const;
};

template <class T = void, class E = Error>
class [[nodiscard]] Result : public tl::expected<T, E> {
 public:
  using Base = tl::expected<T, E>;
  using Base::Base;
  Result(Base&& base) : Base(std::move(base)) {}  // NOLINT: conversion is the point
};

using Failure = tl::unexpected<Error>;

inline Failure fail(std::string what, std::string where = {}) {
  return Failure(Error{std::move(what), std::move(where), {}});
}

// With the calling thread's errno.
inline Failure fail_errno(std::string what, std::string where = {}, int error = errno) {
  return Failure(Error{std::move(what), std::move(where), {error, std::generic_category()}});
}

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace sluice

// An invariant of our own; never about bytes from the network.
#define SLUICE_CHECK(expression) \
  ((expression) ? (void)0 : ::sluice::check_failed(#expression, __FILE__, __LINE__))

// TRY(value, expression) unwraps a Result or returns its error from the current function.
#define SLUICE_TRY_NAME2(a, b) a##b
#define SLUICE_TRY_NAME(a, b) SLUICE_TRY_NAME2(a, b)
#define SLUICE_TRY(declaration, expression)                                           \
  auto SLUICE_TRY_NAME(try_, __LINE__) = (expression);                                \
  if (!SLUICE_TRY_NAME(try_, __LINE__))                                               \
    return ::tl::make_unexpected(std::move(SLUICE_TRY_NAME(try_, __LINE__)).error()); \
  declaration = std::move(*SLUICE_TRY_NAME(try_, __LINE__))
#define SLUICE_TRY_VOID(expression)                                               \
  do {                                                                            \
    auto try_result = (expression);                                               \
    if (!try_result) return ::tl::make_unexpected(std::move(try_result).error()); \
  } while (0)
