#include "server/jobs/store_group.h"

#include <gtest/gtest.h>

namespace reinstate {
namespace {

TEST(StoreGroup, PutsTheIdWhereTheTemplateSaysSo) {
  EXPECT_EQ(TenantIn({.store = "main"}, "42"), "42");
  EXPECT_EQ(TenantIn({.store = "wiki", .tenant = "site-{id}"}, "42"), "site-42");
  EXPECT_EQ(TenantIn({.store = "wiki", .tenant = "{id}/{id}"}, "42"), "42/42");
  EXPECT_EQ(TenantIn({.store = "wiki", .tenant = "shared"}, "42"), "shared");
}

TEST(StoreGroup, TakesAnIdThatLooksLikeATemplateAsItIs) {
  EXPECT_EQ(TenantIn({.store = "wiki", .tenant = "a{id}b"}, "{id}"), "a{id}b");
  EXPECT_EQ(TenantIn({.store = "wiki", .tenant = "{i{id}"}, "x"), "{ix");
}

}  // namespace
}  // namespace reinstate
