#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace reinstate {

// What is refused as too much. A list of customers is nowhere near: what is, is another file.
struct ListLimits {
  int64_t max_lines = 1'000'000;
  size_t max_line_bytes = 64 << 10;      // of a line, or of a record that quotes stretch over lines
  size_t max_file_bytes = 256ULL << 20;  // before and after decoding
  size_t max_text_bytes = 1024;          // of what names a tenant; no id is longer
};

// How a list is read. What is left empty is found out, and said in TenantList::notices.
struct ListOptions {
  std::string column;  // the column that names the tenants: its title, or its number from 1, where
                       // there are no titles
  std::string note;    // the column with a note for each, likewise; empty: the one titled "note"
  std::string encoding;   // a name that iconv knows, e.g. "windows-1252"
  std::string separator;  // "comma", "semicolon", "tab", or "none": a line is one text
  ListLimits limits;
};

// A line that names a tenant.
struct ListedTenant {
  int64_t line = 0;   // from 1; where it begins
  std::string text;   // an id or a label, as people wrote it, without spaces around it
  std::string store;  // of the columns with these titles; empty if there is none
  std::string note;
  std::string input;  // what `batch resolve` was given for it; empty in any other list
};

// A line that names no tenant though it should.
struct ListFault {
  int64_t line = 0;
  std::string what;   // a sentence
  std::string input;  // as ListedTenant::input
};

// A line that has the same text and store as an earlier one. It is among the tenants, too.
struct ListRepeat {
  int64_t line = 0;
  int64_t first = 0;  // the earlier line
};

// What a list says. Lines ascend.
struct TenantList {
  std::vector<ListedTenant> tenants;
  std::vector<ListFault> faults;
  std::vector<ListRepeat> repeats;

  // `batch resolve` has written it, and the tenants are those of its column `id`.
  bool resolved = false;

  // What a person must know to trust the rest: encoding, separator and column that were taken, and
  // what was skipped or altered. Sentences, with text of the list in them.
  std::vector<std::string> notices;
};

// Reads a list of tenants as people have it:
//
// - CSV with commas, semicolons or tabs, with or without a line of titles, with fields in quotes;
//   Excel's first line "sep=;". The column is `options.column`, or is told by its title.
// - JSON lines: objects, whose members are the columns, or strings.
// - Plain text, a tenant a line.
//
// In UTF-8, UTF-16 or Windows-1252, told apart by byte order mark and content, with any line ends.
// Empty lines and comments, which begin with # and a space, are skipped and counted; spaces that
// only look like spaces are taken as such. Also what `batch resolve` wrote: its column `id` names
// the tenant.
//
// INVALID_ARGUMENT, with line numbers, if the whole cannot be relied on: bytes that are not of the
// encoding, a quote that is not closed, columns of which none is known to name the tenant, more
// than `options.limits`, no tenant at all. A single line that is wrong is a fault in the result.
absl::StatusOr<TenantList> ParseTenantList(std::string_view bytes, const ListOptions& options);

// As ParseTenantList for all that `in` still has. INVALID_ARGUMENT if it cannot be read.
absl::StatusOr<TenantList> ReadTenantList(std::istream& in, const ListOptions& options);

// "line 3", "lines 3, 5 and 9", "lines 3-7, 12 and 20 more": of `lines`, which ascend and are not
// empty, at most so many numbers and ranges of three and more.
std::string LineNumbers(const std::vector<int64_t>& lines, size_t most = 10);

}  // namespace reinstate
