#include "client/lists/csv_splitter.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

CsvSplitter::CsvSplitter(char separator, size_t max_record_bytes)
    : max_record_bytes_(max_record_bytes) {
  // Never fails: it sets fields.
  csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI);
  csv_set_delim(&parser_, static_cast<unsigned char>(separator));
}

CsvSplitter::~CsvSplitter() { csv_free(&parser_); }

absl::Status CsvSplitter::Add(const TextLine& line) {
  if (first_line_ == 0) {
    first_line_ = line.number;
    record_bytes_ = 0;
  }
  record_bytes_ += line.with_end.size();
  if (record_bytes_ > max_record_bytes_) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("A field in quotes that begins in line ", first_line_,
                                  " is not closed by line ", line.number, ": is a quote missing?"));
  }
  return Parse(line.with_end, line.number);
}

absl::Status CsvSplitter::Parse(std::string_view text, int64_t line) {
  while (!text.empty()) {
    const size_t parsed = csv_parse(&parser_, text.data(), text.size(), OnField, OnRecord, this);
    text.remove_prefix(parsed);
    if (text.empty()) {
      break;
    }
    if (csv_error(&parser_) != CSV_EPARSE) {
      return MakeError(Reason::kInternal, csv_strerror(csv_error(&parser_)));
    }
    if (parser_.quoted != 0) {
      return MakeError(
          Reason::kInvalidArgument,
          absl::StrCat("In line ", line, " of the list a field goes on after its ",
                       "closing quote; a quote inside of a field in quotes is ", "written twice."));
    }
    // A quote inside of a field without quotes. Only strict parsing tells it from the case above.
    csv_set_opts(&parser_, CSV_STRICT_FINI);
    csv_parse(&parser_, text.data(), 1, OnField, OnRecord, this);
    csv_set_opts(&parser_, CSV_STRICT | CSV_STRICT_FINI);
    text.remove_prefix(1);
  }
  return absl::OkStatus();
}

absl::Status CsvSplitter::Finish() {
  const int64_t first_line = first_line_;
  if (csv_fini(&parser_, OnField, OnRecord, this) != 0) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("A field in quotes that begins in line ", first_line,
                                  " is not closed by the end of the list: is a quote missing?"));
  }
  return absl::OkStatus();
}

void CsvSplitter::OnField(void* field, size_t size, void* self) {
  auto* splitter = static_cast<CsvSplitter*>(self);
  splitter->fields_.emplace_back(static_cast<const char*>(field), size);
}

void CsvSplitter::OnRecord(int /*end*/, void* self) {
  auto* splitter = static_cast<CsvSplitter*>(self);
  splitter->rows_.push_back(
      {.line = splitter->first_line_, .fields = std::exchange(splitter->fields_, {})});
  splitter->first_line_ = 0;
}

}  // namespace reinstate
