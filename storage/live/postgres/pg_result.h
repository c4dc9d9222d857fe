#pragma once

#include <cstdint>
#include <string_view>

struct pg_result;

namespace reinstate {

// What a statement gave. Rows and columns are counted from 0.
class PgResult {
 public:
  explicit PgResult(pg_result* result) : result_(result) {}  // takes it
  ~PgResult();
  PgResult(PgResult&& other) noexcept;
  PgResult& operator=(PgResult&& other) noexcept;

  // Whether it was of a statement that gives rows, also if there are none.
  bool has_rows() const;
  int rows() const;
  int columns() const;
  bool IsNull(int row, int column) const;
  // The text, empty for NULL; valid as long as this is.
  std::string_view Get(int row, int column) const;
  int64_t GetInt(int row, int column) const;  // 0 if it is no number
  bool GetBool(int row, int column) const;

  // The number of rows that INSERT, UPDATE, DELETE or COPY changed, or SELECT gave.
  int64_t affected() const;

 private:
  pg_result* result_;
};

}  // namespace reinstate
