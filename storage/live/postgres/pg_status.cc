#include "storage/live/postgres/pg_status.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

// The more special comes first.
struct Translation {
  std::string_view sqlstate;  // how it begins
  Reason reason;
  std::string_view means;
};

constexpr Translation kTranslations[] = {
    {"40", Reason::kLiveChanged, "the application changed the same rows"},
    {"55P03", Reason::kLiveChanged, "the application held a lock for too long"},
    {"55006", Reason::kLiveChanged, "it is in use by somebody else"},
    {"23505", Reason::kKeyConflict, "a unique value is taken"},
    {"23P01", Reason::kKeyConflict, "an exclusion constraint is against it"},
    {"23503", Reason::kLiveChanged, "a foreign key is against it"},
    {"23", Reason::kUnsupported, "a constraint does not allow a row"},
    {"42501", Reason::kNotAllowed, "the role lacks a privilege"},
    {"42P01", Reason::kLiveChanged, "a table is gone"},
    {"42703", Reason::kLiveChanged, "a column is gone"},
    {"42704", Reason::kLiveChanged, "an object is gone"},
    {"28", Reason::kNotAllowed, "the role or its password was refused"},
    {"3D000", Reason::kUnavailable, "there is no such database"},
    {"57014", Reason::kCancelled, "the statement was cancelled in the database"},
    {"57P", Reason::kSessionLost, "the server ended the connection"},
    {"08", Reason::kSessionLost, "the connection broke"},
    {"25P03", Reason::kSessionLost, "the server ended the connection for being idle"},
    {"57P05", Reason::kSessionLost, "the server ended the connection for being idle"},
    {"25006", Reason::kUnsupported, "the database takes no writes; it may be a standby"},
    {"53100", Reason::kNoSpace, "the disk of the database is full"},
    {"53", Reason::kUnavailable, "the server is short of resources"},
    {"54", Reason::kTooLarge, "it is beyond a limit of the server"},
    {"58", Reason::kUnavailable, "the server's system failed"},
    {"0A", Reason::kUnsupported, "the server does not support it"},
    {"XX001", Reason::kCorrupt, "the server found damaged data"},
    {"XX002", Reason::kCorrupt, "the server found a damaged index"},
};

std::string Field(const pg_result* result, int code) {
  const char* const text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

// Whether the messages of this SQLSTATE hold names of objects only.
bool HoldsNamesOnly(std::string_view sqlstate) {
  return sqlstate == "42501" || sqlstate == "42P01" || sqlstate == "55P03";
}

std::string Place(const PgServerError& error) {
  std::string place;
  if (!error.constraint.empty()) {
    absl::StrAppend(&place, ", constraint ", error.constraint);
  }
  if (!error.table.empty()) {
    absl::StrAppend(&place, ", table ", error.schema, ".", error.table);
  }
  if (!error.column.empty()) {
    absl::StrAppend(&place, ", column ", error.column);
  }
  if (!error.object.empty()) {
    absl::StrAppend(&place, ", ", error.object);
  }
  return place;
}

bool IsSqlstate(std::string_view word) {
  return word.size() == 5 && std::all_of(word.begin(), word.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || absl::ascii_isupper(c);
         });
}

}  // namespace

PgServerError ServerErrorOf(const pg_result* result) {
  PgServerError error{.sqlstate = Field(result, PG_DIAG_SQLSTATE),
                      .schema = Field(result, PG_DIAG_SCHEMA_NAME),
                      .table = Field(result, PG_DIAG_TABLE_NAME),
                      .column = Field(result, PG_DIAG_COLUMN_NAME),
                      .constraint = Field(result, PG_DIAG_CONSTRAINT_NAME),
                      .object = ""};
  if (HoldsNamesOnly(error.sqlstate)) {
    error.object = Field(result, PG_DIAG_MESSAGE_PRIMARY);
  }
  return error;
}

absl::Status StatusOfServerError(const PgServerError& error, std::string_view doing) {
  for (const Translation& translation : kTranslations) {
    if (error.sqlstate.starts_with(translation.sqlstate)) {
      return MakeError(translation.reason,
                       absl::StrCat("could not ", Absl(doing), ": ", Absl(translation.means),
                                    " (SQLSTATE ", error.sqlstate, Place(error), ")"));
    }
  }
  if (error.sqlstate.empty()) {
    return MakeError(Reason::kSessionLost,
                     absl::StrCat("could not ", Absl(doing), ": the connection broke"));
  }
  return MakeError(Reason::kInternal,
                   absl::StrCat("could not ", Absl(doing), ": the server refused with SQLSTATE ",
                                error.sqlstate, Place(error)));
}

absl::Status StatusOfFailedConnect(const pg_conn* connection) {
  // libpq 15 has no results for failures to connect; their SQLSTATE is a word of the message.
  const std::string message(absl::StripAsciiWhitespace(PQerrorMessage(connection)));
  PgServerError error;
  for (const absl::string_view word : absl::StrSplit(message, absl::ByAnyChar(" :\n"))) {
    if (IsSqlstate(Std(word))) {
      error.sqlstate = std::string(word);
    }
  }
  const bool refused = error.sqlstate.starts_with("28") || error.sqlstate == "42501";
  return MakeError(refused ? Reason::kNotAllowed : Reason::kUnavailable,
                   absl::StrCat("cannot connect to the database: ", message));
}

}  // namespace reinstate
