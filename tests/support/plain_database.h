#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct pg_conn;

namespace reinstate {

// The text of a value, or NULL.
using PlainValue = std::optional<std::string>;
using PlainRow = std::vector<PlainValue>;

// A connection to PostgreSQL as any program has one. Shares nothing with the adapter, so that what
// it sees is evidence. The settings that the text of values depends on are pinned. Not thread-safe.
//
// Errors have the server's whole message and its SQLSTATE; they leave the connection usable.
class PlainDatabase {
 public:
  static absl::StatusOr<std::unique_ptr<PlainDatabase>> Connect(const std::string& conninfo);

  ~PlainDatabase();
  PlainDatabase(const PlainDatabase&) = delete;
  PlainDatabase& operator=(const PlainDatabase&) = delete;

  // Runs statements, separated by semicolons.
  absl::Status Run(const std::string& sql);

  // Runs one statement; `params` are $1 and on.
  absl::StatusOr<std::vector<PlainRow>> Query(const std::string& sql, const PlainRow& params = {});

  // The first value of the first row; INTERNAL if there is none or it is NULL.
  absl::StatusOr<std::string> Value(const std::string& sql, const PlainRow& params = {});

  // Runs COPY … FROM STDIN; `next` gives pieces of lines until it gives an empty one.
  absl::Status CopyIn(const std::string& sql, const std::function<std::string_view()>& next);

  // Runs COPY … TO STDOUT; `visit` is called for each line without its newline.
  absl::Status CopyOut(const std::string& sql, const std::function<void(std::string_view)>& visit);

  // The SQLSTATE of the last error; empty if the server said none.
  const std::string& last_sqlstate() const { return last_sqlstate_; }

 private:
  explicit PlainDatabase(pg_conn* connection) : connection_(connection) {}

  absl::Status Error(const void* result);

  pg_conn* const connection_;
  std::string last_sqlstate_;
};

// A value as a field of a line of COPY: escaped, \N for NULL.
std::string CopyField(const PlainValue& value);

// The fields of a row as a line of COPY, without its newline.
std::string CopyLine(const PlainRow& row);

}  // namespace reinstate
