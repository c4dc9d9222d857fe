#include "storage/base/missing_rows.h"

#include "gtest/gtest.h"

namespace reinstate {
namespace {

TEST(MissingRows, NameTheTableThatRefersToThemWithinAnyMessage) {
  const std::string text = MissingRowsText("crm.my links", 10, "issues");
  EXPECT_EQ(text, "rows of table crm.my links refer to 10 rows of table issues that are not there");
  EXPECT_EQ(ReferringTable(text), "crm.my links");
  EXPECT_EQ(ReferringTable("tenant 7 cannot be restored: " + text + " (foreign key k); or"),
            "crm.my links");
}

TEST(MissingRows, AreInNoOtherMessage) {
  EXPECT_EQ(ReferringTable(""), "");
  EXPECT_EQ(ReferringTable("9 rows of table links refer to rows of table issues that the restore "
                           "deletes"),
            "");
  EXPECT_EQ(ReferringTable("rows of table issues that are not there"), "");
}

}  // namespace
}  // namespace reinstate
