#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// NOLINTBEGIN(bugprone-macro-parentheses)
#define REINSTATE_CONCAT_INNER(a, b) a##b
#define REINSTATE_CONCAT(a, b) REINSTATE_CONCAT_INNER(a, b)

// Evaluates `expr` (an absl::Status) once and returns it from the enclosing function if it is not
// OK.
#define RETURN_IF_ERROR(expr)                                                 \
  do {                                                                        \
    if (absl::Status status_macro_value = (expr); !status_macro_value.ok()) { \
      return status_macro_value;                                              \
    }                                                                         \
  } while (false)

// Evaluates `expr` (an absl::StatusOr<T>) once; assigns its value to `lhs`, which may be a
// declaration, or returns its status from the enclosing function.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_INNER(REINSTATE_CONCAT(status_or_macro_value_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_INNER(value, lhs, expr) \
  auto value = (expr);                           \
  if (!value.ok()) {                             \
    return std::move(value).status();            \
  }                                              \
  lhs = *std::move(value)
// NOLINTEND(bugprone-macro-parentheses)
