#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/live/postgres/ownership.h"

namespace reinstate {

// How statements are to be planned. The planner's numbers are at their worst when a restore comes,
// just after a mass deletion, so that what must not be guessed is said.
enum class PlanMode {
  kFree,   // as the planner likes
  kProbe,  // from few rows by index to others
  kWhole,  // each table read once: no nested loops
};

// Statements that set the mode for the rest of the transaction, each ended by a semicolon.
std::string_view PlanModeSql(PlanMode mode);

// A column of a statement's input: texts, or NULLs.
class ArrayText {
 public:
  void Add(std::string_view value);
  // A field of a COPY line, which is still escaped. False if it is malformed.
  bool AddField(std::string_view field);

  size_t bytes() const { return text_.size(); }
  // As an SQL literal of type text[].
  std::string Sql() const;

 private:
  std::string text_;
  std::string value_;
};

// Rows that a statement is told of, as a relation k with columns c1, c2, … of type text and n,
// their numbers from 1.
class KeyBatch {
 public:
  explicit KeyBatch(size_t columns) : columns_(columns) {}

  void Add(const std::vector<std::string>& values);
  // False if a field is malformed.
  bool AddFields(const std::vector<std::string_view>& fields);

  size_t rows() const { return rows_; }
  size_t bytes() const;
  // unnest(…) WITH ORDINALITY AS k(c1, …, n)
  std::string Sql() const;

 private:
  std::vector<ArrayText> columns_;
  size_t rows_ = 0;
};

// t."a" = k.c1::type AND …, for columns of `table`; `alias` is that of the table, and `first` the
// number of the first column of k.
std::string EqualToBatch(const PgTable& table, const std::vector<PgAttnum>& columns,
                         std::string_view alias, size_t first = 1);

// ONLY "s"."t", or without ONLY for a partitioned table.
std::string OnlyTable(const PgTable& table);

}  // namespace reinstate
