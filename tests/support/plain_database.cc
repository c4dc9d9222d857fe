#include "tests/support/plain_database.h"

#include <libpq-fe.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

Result Take(PGresult* result) { return {result, PQclear}; }

constexpr char kPinned[] =
    "SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; "
    "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; "
    "SET array_nulls = on; SET xmloption = 'content'; SET client_min_messages = warning";

void DropNotice(void* /*unused*/, const PGresult* /*notice*/) {}

}  // namespace

absl::StatusOr<std::unique_ptr<PlainDatabase>> PlainDatabase::Connect(const std::string& conninfo) {
  std::unique_ptr<PlainDatabase> database(new PlainDatabase(PQconnectdb(conninfo.c_str())));
  if (PQstatus(database->connection_) != CONNECTION_OK) {
    return database->Error(nullptr);
  }
  PQsetNoticeReceiver(database->connection_, DropNotice, nullptr);
  PQsetClientEncoding(database->connection_, "UTF8");
  RETURN_IF_ERROR(database->Run(kPinned));
  return database;
}

PlainDatabase::~PlainDatabase() { PQfinish(connection_); }

absl::Status PlainDatabase::Error(const void* result) {
  const auto* pg_result = static_cast<const PGresult*>(result);
  const char* state =
      pg_result == nullptr ? nullptr : PQresultErrorField(pg_result, PG_DIAG_SQLSTATE);
  last_sqlstate_ = state == nullptr ? "" : state;
  return absl::InternalError(absl::StrCat(PQerrorMessage(connection_), " [", last_sqlstate_, "]"));
}

absl::Status PlainDatabase::Run(const std::string& sql) {
  const Result result = Take(PQexec(connection_, sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? absl::OkStatus()
                                                                 : Error(result.get());
}

absl::StatusOr<std::vector<PlainRow>> PlainDatabase::Query(const std::string& sql,
                                                           const PlainRow& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const PlainValue& param : params) {
    values.push_back(param.has_value() ? param->c_str() : nullptr);
  }
  const Result result = Take(PQexecParams(connection_, sql.c_str(), static_cast<int>(values.size()),
                                          nullptr, values.data(), nullptr, nullptr, 0));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    return Error(result.get());
  }
  std::vector<PlainRow> rows(static_cast<size_t>(PQntuples(result.get())));
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      rows[row].push_back(PQgetisnull(result.get(), row, column) != 0
                              ? PlainValue()
                              : PlainValue(std::string(PQgetvalue(result.get(), row, column))));
    }
  }
  return rows;
}

absl::StatusOr<std::string> PlainDatabase::Value(const std::string& sql, const PlainRow& params) {
  ASSIGN_OR_RETURN(const std::vector<PlainRow> rows, Query(sql, params));
  if (rows.empty() || rows[0].empty() || !rows[0][0].has_value()) {
    return absl::InternalError(absl::StrCat("no value: ", sql));
  }
  return *rows[0][0];
}

absl::Status PlainDatabase::CopyIn(const std::string& sql,
                                   const std::function<std::string_view()>& next) {
  {
    const Result begun = Take(PQexec(connection_, sql.c_str()));
    if (PQresultStatus(begun.get()) != PGRES_COPY_IN) {
      return Error(begun.get());
    }
  }
  for (std::string_view piece = next(); !piece.empty(); piece = next()) {
    if (PQputCopyData(connection_, piece.data(), static_cast<int>(piece.size())) != 1) {
      break;  // the result says why
    }
  }
  PQputCopyEnd(connection_, nullptr);
  absl::Status status;
  while (PGresult* raw = PQgetResult(connection_)) {
    const Result result = Take(raw);
    if (status.ok() && PQresultStatus(raw) != PGRES_COMMAND_OK) {
      status = Error(raw);
    }
  }
  return status;
}

absl::Status PlainDatabase::CopyOut(const std::string& sql,
                                    const std::function<void(std::string_view)>& visit) {
  {
    const Result begun = Take(PQexec(connection_, sql.c_str()));
    if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) {
      return Error(begun.get());
    }
  }
  char* line = nullptr;
  int length = 0;
  while ((length = PQgetCopyData(connection_, &line, 0)) > 0) {
    visit(std::string_view(line, static_cast<size_t>(length) - 1));
    PQfreemem(line);
  }
  absl::Status status = length == -1 ? absl::OkStatus() : Error(nullptr);
  while (PGresult* raw = PQgetResult(connection_)) {
    const Result result = Take(raw);
    if (status.ok() && PQresultStatus(raw) != PGRES_COMMAND_OK) {
      status = Error(raw);
    }
  }
  return status;
}

std::string CopyField(const PlainValue& value) {
  if (!value.has_value()) {
    return "\\N";
  }
  std::string field;
  field.reserve(value->size());
  for (const char c : *value) {
    switch (c) {
      case '\b':
        field += "\\b";
        break;
      case '\f':
        field += "\\f";
        break;
      case '\n':
        field += "\\n";
        break;
      case '\r':
        field += "\\r";
        break;
      case '\t':
        field += "\\t";
        break;
      case '\v':
        field += "\\v";
        break;
      case '\\':
        field += "\\\\";
        break;
      default:
        field += c;
    }
  }
  return field;
}

std::string CopyLine(const PlainRow& row) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    line.append(i == 0 ? "" : "\t").append(CopyField(row[i]));
  }
  return line;
}

}  // namespace reinstate
