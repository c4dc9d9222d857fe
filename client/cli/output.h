#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cli/console.h"
#include "client/cli/table_printer.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace reinstate {

enum class OutputFormat { kTable, kJson, kCsv };

// A value in two forms: for people (thousands separators, ages) and for programs (plain digits,
// RFC 3339).
struct Value {
  std::string people;
  std::string programs;
  Style style = Style::kPlain;
};

Value TextValue(std::string_view text, Style style = Style::kPlain);
Value CountValue(int64_t count, Style style = Style::kPlain);
Value BytesValue(int64_t bytes);
Value BoolValue(bool yes);
// Empty if there is none.
Value TimeValue(bool present, const google::protobuf::Timestamp& time, absl::Time now);
Value DurationValue(bool present, const google::protobuf::Duration& duration);

// A column of a list, or a line of the description of one thing.
template <typename Message>
struct Field {
  std::string title;  // for people; programs see it in lower case with _ for spaces
  std::function<Value(const Message&)> value;
  Align align = Align::kLeft;
  bool may_shrink = false;
};

template <typename Message>
using Fields = std::vector<Field<Message>>;

// Writes what a command has found to stdout, in the format that was asked for. Everything else
// belongs on stderr, so that stdout can be piped.
//
// JSON is the protobuf JSON mapping with default values included: one thing is one object, a list
// is one array. CSV has a line of titles, also for one thing; on a terminal its texts are
// Printable.
class Output {
 public:
  Output(const Console* console, OutputFormat format) : console_(console), format_(format) {}

  OutputFormat format() const { return format_; }

  // A list. For people, `if_empty` is said on stderr where there is nothing to show, if it is not
  // empty itself.
  template <typename Message>
  absl::Status List(const std::vector<Message>& items, const Fields<Message>& fields,
                    std::string_view if_empty) const {
    std::vector<const google::protobuf::Message*> messages;
    messages.reserve(items.size());
    for (const Message& item : items) {
      messages.push_back(&item);
    }
    return WriteList(messages, TitlesOf(fields), ValuesOf(items, fields), if_empty);
  }

  // One thing, for people as lines "title  value" without those that are empty.
  template <typename Message>
  absl::Status One(const Message& item, const Fields<Message>& fields) const {
    return WriteOne(item, TitlesOf(fields), ValuesOf(std::vector<Message>{item}, fields)[0]);
  }

  // As One, where what is written for people is not fit for programs: CSV has `columns` instead.
  template <typename Message>
  absl::Status One(const Message& item, const Fields<Message>& fields,
                   const Fields<Message>& columns) const {
    return One(item, format_ == OutputFormat::kCsv ? columns : fields);
  }

  // Only the rows of a list, where the JSON is that of `whole` (a plan with its tables).
  template <typename Message>
  absl::Status Part(const google::protobuf::Message& whole, const std::vector<Message>& items,
                    const Fields<Message>& fields) const {
    return WritePart(whole, TitlesOf(fields), ValuesOf(items, fields));
  }

  // One thing as JSON in a single line, whatever the format: for streams of what happens.
  absl::Status JsonLine(const google::protobuf::Message& message) const;

  // The table of a list as text, for reports to people.
  template <typename Message>
  std::string Table(const std::vector<Message>& items, const Fields<Message>& fields) const {
    return RenderTable(TitlesOf(fields), ValuesOf(items, fields));
  }

  // Text of a report for people, as it is.
  void Text(std::string_view text) const;

 private:
  using Row = std::vector<Value>;

  template <typename Message>
  static std::vector<TablePrinter::Column> TitlesOf(const Fields<Message>& fields) {
    std::vector<TablePrinter::Column> titles;
    for (const Field<Message>& field : fields) {
      titles.push_back({field.title, field.align, field.may_shrink});
    }
    return titles;
  }

  template <typename Message>
  static std::vector<Row> ValuesOf(const std::vector<Message>& items,
                                   const Fields<Message>& fields) {
    std::vector<Row> rows;
    for (const Message& item : items) {
      Row& row = rows.emplace_back();
      for (const Field<Message>& field : fields) {
        row.push_back(field.value(item));
      }
    }
    return rows;
  }

  absl::Status WriteList(const std::vector<const google::protobuf::Message*>& messages,
                         const std::vector<TablePrinter::Column>& titles,
                         const std::vector<Row>& rows, std::string_view if_empty) const;
  absl::Status WriteOne(const google::protobuf::Message& message,
                        const std::vector<TablePrinter::Column>& titles, const Row& row) const;
  absl::Status WritePart(const google::protobuf::Message& whole,
                         const std::vector<TablePrinter::Column>& titles,
                         const std::vector<Row>& rows) const;
  void WriteCsv(const std::vector<TablePrinter::Column>& titles,
                const std::vector<Row>& rows) const;
  std::string RenderTable(const std::vector<TablePrinter::Column>& titles,
                          const std::vector<Row>& rows) const;
  std::string RenderLines(const std::vector<TablePrinter::Column>& titles, const Row& row) const;

  const Console* const console_;
  const OutputFormat format_;
};

}  // namespace reinstate
