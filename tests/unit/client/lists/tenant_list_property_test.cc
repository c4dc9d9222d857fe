#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/csv_writer.h"
#include "client/lists/cell_text.h"
#include "client/lists/tenant_list.h"

namespace reinstate {
namespace {

// Pieces that make separators, quotes, line ends and odd spaces meet.
rc::Gen<std::string> AnyCell() {
  const auto piece = rc::gen::element<std::string>("a", "7", "Zoë", " ", ",", ";", "\t", "\"", "\n",
                                                   "\r\n", "#", "\u00A0", "{", "\\", "sep=");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string cell;
                        for (const std::string& text : pieces) {
                          cell += text;
                        }
                        return cell;
                      });
}

// What is written as CSV is read as it was, but for the spaces around it; what is empty is told.
RC_GTEST_PROP(TenantListProperty, ReadsWhatCsvWriterWrites, ()) {
  const auto cells = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(AnyCell()));
  std::string bytes = CsvLine({"line", "id", "note"});
  std::vector<std::string> expected;
  for (const std::string& cell : cells) {
    bytes += CsvLine({"1", cell, cell});
    bool altered = false;
    if (std::string clean = CleanCell(cell, &altered); !clean.empty()) {
      expected.push_back(std::move(clean));
    }
  }
  const absl::StatusOr<TenantList> list = ParseTenantList(bytes, {.separator = "comma"});
  RC_ASSERT(list.ok());
  RC_ASSERT(list->tenants.size() == expected.size());
  RC_ASSERT(list->tenants.size() + list->faults.size() == cells.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    RC_ASSERT(list->tenants[i].text == expected[i]);
    RC_ASSERT(list->tenants[i].note == expected[i]);
  }
}

}  // namespace
}  // namespace reinstate
