#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "reinstate/v1/dump.pb.h"

namespace reinstate {

// Dumps as JSON lines, one object a line, as `tenant export` writes them and `snapshot import`
// reads them. client/README.md describes the format for programs that make dumps.

// Each returns a line without its end. Bytes that are no UTF-8 are written as base64.
std::string DumpHeaderLine(const v1::DumpHeader& header);
std::string DumpLabelsLine(const v1::DumpLabels& labels);
std::string DumpRowLine(const v1::DumpTable& table, const std::string& tenant,
                        const v1::DumpRow& row);
std::string DumpEndLine(const v1::DumpHeader& header, const v1::DumpEnd& end);

// Where a parser puts what it has read. Each may refuse a part, which ends the parsing.
struct DumpReceiver {
  std::function<absl::Status(const v1::DumpHeader&)> header;
  std::function<absl::Status(v1::DumpLabels)> labels;
  std::function<absl::Status(const std::string& tenant, int table, v1::DumpRow)> row;
  std::function<absl::Status(v1::DumpEnd)> end;
};

// Reads a dump line by line. Strict: what it does not know it refuses. Not thread-safe.
class DumpLineParser {
 public:
  // A table of the header.
  struct Table {
    int index = 0;
    std::map<std::string, int> columns;  // by name; empty in a key-value store
  };
  using Tables = std::map<std::string, Table>;  // by name

  explicit DumpLineParser(DumpReceiver receiver) : receiver_(std::move(receiver)) {}

  // INVALID_ARGUMENT with what is wrong, without values; or what the receiver says. Blank lines are
  // skipped.
  absl::Status Line(const std::string& line);

  // At the end of the text: SHORTFALL if the dump has no end.
  absl::Status Finish() const;

 private:
  absl::Status Header(const std::string& line);
  absl::Status AddTable(const v1::DumpTable& table);

  const DumpReceiver receiver_;
  Tables tables_;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace reinstate
