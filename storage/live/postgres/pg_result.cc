#include "storage/live/postgres/pg_result.h"

#include <libpq-fe.h>

#include <charconv>
#include <utility>

namespace reinstate {

PgResult::~PgResult() { PQclear(result_); }

PgResult::PgResult(PgResult&& other) noexcept : result_(std::exchange(other.result_, nullptr)) {}

PgResult& PgResult::operator=(PgResult&& other) noexcept {
  std::swap(result_, other.result_);
  return *this;
}

bool PgResult::has_rows() const { return PQresultStatus(result_) == PGRES_TUPLES_OK; }

int PgResult::rows() const { return PQntuples(result_); }

int PgResult::columns() const { return PQnfields(result_); }

bool PgResult::IsNull(int row, int column) const { return PQgetisnull(result_, row, column) != 0; }

std::string_view PgResult::Get(int row, int column) const {
  return {PQgetvalue(result_, row, column), static_cast<size_t>(PQgetlength(result_, row, column))};
}

int64_t PgResult::GetInt(int row, int column) const {
  const std::string_view text = Get(row, column);
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? value : 0;
}

bool PgResult::GetBool(int row, int column) const { return Get(row, column) == "t"; }

int64_t PgResult::affected() const {
  const std::string_view text = PQcmdTuples(result_);
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace reinstate
