#include "server/rpc/page_query.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "reinstate/v1/restore_service.pb.h"
#include "reinstate/v1/snapshot_service.pb.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

v1::ListRestoresRequest Request(const std::string& store, const std::string& token = "") {
  v1::ListRestoresRequest request;
  request.set_store(store);
  request.set_page_token(token);
  return request;
}

std::string TokenOf(const std::string& store, const std::vector<std::string>& position) {
  return PageQuery::Parse(Request(store), position.size())->Token(position);
}

TEST(PageQuery, BeginsAtTheFirstPageWithTheDefaultSize) {
  const absl::StatusOr<PageQuery> page = PageQuery::Parse(Request("main"), 1);
  ASSERT_THAT(page, IsOk());
  EXPECT_TRUE(page->first());
  EXPECT_EQ(page->size(), 100);
}

TEST(PageQuery, ReadsThePositionThatATokenWasMadeFrom) {
  const std::string hostile("a\0b\xFF/", 5);
  const absl::StatusOr<PageQuery> page =
      PageQuery::Parse(Request("main", TokenOf("main", {hostile, ""})), 2);
  ASSERT_THAT(page, IsOk());
  EXPECT_FALSE(page->first());
  EXPECT_EQ(page->position(0), hostile);
  EXPECT_EQ(page->position(1), "");
}

TEST(PageQuery, TakesAnotherPageSizeOnTheWay) {
  v1::ListRestoresRequest request = Request("main", TokenOf("main", {"x"}));
  request.set_page_size(7);
  const absl::StatusOr<PageQuery> page = PageQuery::Parse(request, 1);
  ASSERT_THAT(page, IsOk());
  EXPECT_EQ(page->size(), 7);
}

TEST(PageQuery, RefusesATokenOfAnotherFilterOrList) {
  const std::string token = TokenOf("main", {"x"});
  EXPECT_THAT(PageQuery::Parse(Request("other", token), 1), FailsWith(Reason::kPageTokenInvalid));
  v1::ListSnapshotsRequest snapshots;
  snapshots.set_store("main");
  snapshots.set_page_token(token);
  EXPECT_THAT(PageQuery::Parse(snapshots, 1), FailsWith(Reason::kPageTokenInvalid));
}

TEST(PageQuery, RefusesATokenThatWasCutOrIsNone) {
  const std::string token = TokenOf("main", {"position"});
  std::vector<std::string> bad = {"!", std::string(100'000, 'A'), token + token,
                                  "'; DROP TABLE restores; --"};
  for (size_t i = 1; i < token.size(); ++i) {
    bad.push_back(token.substr(0, i));
  }
  for (const std::string& text : bad) {
    EXPECT_THAT(PageQuery::Parse(Request("main", text), 1), FailsWith(Reason::kPageTokenInvalid))
        << text.substr(0, 50);
  }
}

TEST(PageQuery, RefusesSizesOutOfRange) {
  for (const int size : {-1, 1001, INT32_MIN, INT32_MAX}) {
    v1::ListRestoresRequest request;
    request.set_page_size(size);
    EXPECT_THAT(PageQuery::Parse(request, 1), FailsWith(Reason::kInvalidArgument)) << size;
  }
}

}  // namespace
}  // namespace reinstate
