#pragma once

#include <csv.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "client/lists/list_table.h"
#include "client/lists/text_lines.h"

namespace reinstate {

// Splits lines into fields, by libcsv: fields in quotes may hold separators, line ends and doubled
// quotes; a quote inside of a field that is not in quotes is a character as any other. Spaces
// around fields are dropped. Not thread-safe.
class CsvSplitter {
 public:
  // `max_record_bytes`: of a record that quotes stretch over several lines.
  CsvSplitter(char separator, size_t max_record_bytes);
  ~CsvSplitter();
  CsvSplitter(const CsvSplitter&) = delete;
  CsvSplitter& operator=(const CsvSplitter&) = delete;

  // Whether the next line continues a field in quotes.
  bool in_record() const { return first_line_ != 0; }

  // Takes the next line. INVALID_ARGUMENT, with line numbers, for a field that goes on after its
  // closing quote, and for a record that is too long; nothing may be added after.
  absl::Status Add(const TextLine& line);

  // After the last line. INVALID_ARGUMENT if a quote is still open, with the line of it.
  absl::Status Finish();

  // The rows so far.
  std::vector<ListRow>& rows() { return rows_; }

 private:
  static void OnField(void* field, size_t size, void* self);
  static void OnRecord(int end, void* self);
  absl::Status Parse(std::string_view text, int64_t line);

  const size_t max_record_bytes_;
  csv_parser parser_ = {};
  std::vector<ListRow> rows_;
  std::vector<std::string> fields_;  // of the record that has begun
  int64_t first_line_ = 0;           // of that record; 0: none has begun
  size_t record_bytes_ = 0;
};

}  // namespace reinstate
