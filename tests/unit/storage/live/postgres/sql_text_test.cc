#include "storage/live/postgres/sql_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace reinstate {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): its purpose.

TEST(SqlText, QuotesEveryIdentifier) {
  EXPECT_EQ(QuoteIdentifier("users"), R"("users")");
  EXPECT_EQ(QuoteIdentifier("Users"), R"("Users")");
  EXPECT_EQ(QuoteIdentifier("select"), R"("select")");
  EXPECT_EQ(QuoteIdentifier(R"(a"; DROP TABLE users; --)"), R"("a""; DROP TABLE users; --")");
  EXPECT_EQ(QuoteIdentifier(R"(back\slash)"), R"("back\slash")");
  EXPECT_EQ(QuoteQualified("s.x", "t"), R"("s.x"."t")");
}

TEST(SqlText, QuotesLiteralsWhateverTheServerThinksOfBackslashes) {
  EXPECT_EQ(QuoteLiteral("acme"), "'acme'");
  EXPECT_EQ(QuoteLiteral("O'Hara"), "'O''Hara'");
  EXPECT_EQ(QuoteLiteral(R"(\'; DROP TABLE users; --)"), R"( E'\\''; DROP TABLE users; --')");
  EXPECT_EQ(CastLiteral("7", "bigint"), "'7'::bigint");
}

TEST(SqlText, LeavesNulToTheServerToRefuse) {
  EXPECT_EQ(QuoteLiteral("a\0b"s), R"( E'a\000b')");
  EXPECT_EQ(QuoteIdentifier("a\0\"\\"s), R"(U&"a\0000""\\")");
}

// What a server reads a quoted text as, if it is one token to its end.
std::string Unquoted(std::string sql, char quote) {
  bool escapes = false;
  if (sql.starts_with(" E")) {
    escapes = true;
    sql.erase(0, 2);
  }
  std::string text;
  size_t i = 1;
  for (; i < sql.size() && sql[i] != quote; ++i) {
    // A doubled quote, or a backslash and what follows it.
    if (escapes && sql[i] == '\\') {
      ++i;
    }
    text += sql[i];
    while (i + 2 < sql.size() && sql[i + 1] == quote && sql[i + 2] == quote) {
      text += quote;
      i += 2;
    }
  }
  return i + 1 == sql.size() ? text : "not one token";
}

RC_GTEST_PROP(SqlText, IsOneTokenThatReadsAsTheText, ()) {
  const auto body =
      *rc::gen::container<std::string>(rc::gen::elementOf("'\"\\;-/*abE$\n\t \xc3\xa4"s));
  const std::string text = "x" + body;  // So that the scan above need not know of leading quotes.
  RC_ASSERT(Unquoted(QuoteLiteral(text), '\'') == text);
  RC_ASSERT(Unquoted(QuoteIdentifier(text), '"') == text);
}

}  // namespace
}  // namespace reinstate
