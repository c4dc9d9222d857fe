#include "client/cli/output.h"

#include <algorithm>
#include <ostream>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/csv_writer.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "google/protobuf/util/json_util.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, bool in_one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !in_one_line;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("The answer cannot be written as JSON: ", status.ToString()));
  }
  return json;
}

std::string ProgramTitle(const std::string& title) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(title), {{" ", "_"}});
}

}  // namespace

Value TextValue(std::string_view text, Style style) {
  return {std::string(text), std::string(text), style};
}

Value CountValue(int64_t count, Style style) {
  return {HumanCount(count), absl::StrCat(count), style};
}

Value BytesValue(int64_t bytes) { return {HumanBytes(bytes), absl::StrCat(bytes)}; }

Value BoolValue(bool yes) { return {yes ? "yes" : "no", yes ? "true" : "false"}; }

Value TimeValue(bool present, const google::protobuf::Timestamp& time, absl::Time now) {
  if (!present) {
    return {};
  }
  return {HumanTimeWithAge(ToTime(time), now), Rfc3339(ToTime(time))};
}

Value DurationValue(bool present, const google::protobuf::Duration& duration) {
  if (!present) {
    return {};
  }
  return {HumanDuration(ToDuration(duration)),
          absl::StrCat(absl::ToDoubleSeconds(ToDuration(duration)))};
}

absl::Status Output::WriteList(const std::vector<const google::protobuf::Message*>& messages,
                               const std::vector<TablePrinter::Column>& titles,
                               const std::vector<Row>& rows, std::string_view if_empty) const {
  if (format_ == OutputFormat::kCsv) {
    WriteCsv(titles, rows);
    return absl::OkStatus();
  }
  if (format_ == OutputFormat::kTable) {
    if (!rows.empty()) {
      Text(RenderTable(titles, rows));
    } else if (!if_empty.empty()) {
      console_->Say(if_empty);
    }
    return absl::OkStatus();
  }
  *console_->out << '[';
  for (const google::protobuf::Message* message : messages) {
    ASSIGN_OR_RETURN(std::string json, ToJson(*message, /*in_one_line=*/false));
    absl::StripTrailingAsciiWhitespace(&json);
    *console_->out << (message == messages.front() ? "" : ",") << json;
  }
  *console_->out << "]\n";
  return absl::OkStatus();
}

absl::Status Output::WriteOne(const google::protobuf::Message& message,
                              const std::vector<TablePrinter::Column>& titles,
                              const Row& row) const {
  if (format_ == OutputFormat::kTable) {
    Text(RenderLines(titles, row));
    return absl::OkStatus();
  }
  return WritePart(message, titles, {row});
}

absl::Status Output::WritePart(const google::protobuf::Message& whole,
                               const std::vector<TablePrinter::Column>& titles,
                               const std::vector<Row>& rows) const {
  switch (format_) {
    case OutputFormat::kTable:
      Text(RenderTable(titles, rows));
      break;
    case OutputFormat::kCsv:
      WriteCsv(titles, rows);
      break;
    case OutputFormat::kJson: {
      ASSIGN_OR_RETURN(const std::string json, ToJson(whole, /*in_one_line=*/false));
      Text(json);
      break;
    }
  }
  return absl::OkStatus();
}

absl::Status Output::JsonLine(const google::protobuf::Message& message) const {
  ASSIGN_OR_RETURN(const std::string json, ToJson(message, /*in_one_line=*/true));
  *console_->out << json << '\n' << std::flush;
  return absl::OkStatus();
}

void Output::Text(std::string_view text) const { *console_->out << text; }

void Output::WriteCsv(const std::vector<TablePrinter::Column>& titles,
                      const std::vector<Row>& rows) const {
  std::vector<std::string> fields;
  fields.reserve(titles.size());
  for (const TablePrinter::Column& title : titles) {
    fields.push_back(ProgramTitle(title.title));
  }
  *console_->out << CsvLine(fields);
  for (const Row& row : rows) {
    fields.clear();
    for (const Value& value : row) {
      fields.push_back(console_->out_is_terminal ? Printable(value.programs) : value.programs);
    }
    *console_->out << CsvLine(fields);
  }
}

std::string Output::RenderTable(const std::vector<TablePrinter::Column>& titles,
                                const std::vector<Row>& rows) const {
  TablePrinter printer(titles);
  for (const Row& row : rows) {
    std::vector<TablePrinter::Cell> cells;
    for (const Value& value : row) {
      cells.push_back({value.people, value.style});
    }
    printer.AddRow(std::move(cells));
  }
  return printer.Render(
      {.color = console_->color_out(), .width = console_->out_is_terminal ? console_->width() : 0});
}

std::string Output::RenderLines(const std::vector<TablePrinter::Column>& titles,
                                const Row& row) const {
  size_t widest = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    widest = std::max(widest, row[i].people.empty() ? 0 : titles[i].title.size());
  }
  std::string text;
  for (size_t i = 0; i < row.size(); ++i) {
    if (!row[i].people.empty()) {
      const std::string& title = titles[i].title;
      absl::StrAppend(&text, Styled(title, Style::kFaint, console_->color_out()),
                      std::string(widest - title.size() + 2, ' '),
                      Styled(Printable(row[i].people), row[i].style, console_->color_out()), "\n");
    }
  }
  return text;
}

}  // namespace reinstate
