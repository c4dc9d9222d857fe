#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/server/rpc/rpc_site.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// t0 to t4, "Tenant 0" and so on, with 2 rows to 6; then a snapshot.
class ResolveTenantsTest : public ::testing::Test {
 protected:
  ResolveTenantsTest() {
    for (int i = 0; i < 5; ++i) {
      const std::string tenant = absl::StrCat("t", i);
      site_.Put(tenant, "tenant", "name", absl::StrCat("Tenant ", i));
      for (int row = 0; row <= i; ++row) {
        site_.Put(tenant, "issue", absl::StrCat(row), "text");
      }
    }
    snapshot_ = site_.TakeSnapshot().snapshot();
    request_.set_store("main");
    request_.set_at("latest");
  }

  void Ask(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      v1::TenantInput* input = request_.add_inputs();
      input->set_line(request_.inputs_size() * 10);
      input->set_text(text);
    }
  }

  WireError Call() {
    const auto context = NewContext();
    const auto stream = site_.tenants().ResolveTenants(context.get(), request_);
    v1::ResolveTenantsResponse message;
    resolutions_.clear();
    messages_ = 0;
    while (stream->Read(&message)) {
      EXPECT_EQ(message.has_point(), messages_ == 0);
      EXPECT_LT(message.ByteSizeLong(), size_t{1} << 20);
      ++messages_;
      if (message.has_point()) {
        point_ = message.point();
      }
      resolutions_.insert(resolutions_.end(), message.resolutions().begin(),
                          message.resolutions().end());
    }
    return ReadError(stream->Finish());
  }

  RpcSite site_;
  std::string snapshot_;
  v1::ResolveTenantsRequest request_;
  v1::Point point_;
  std::vector<v1::TenantResolution> resolutions_;
  int messages_ = 0;
};

// "10 t1 EXACT", or without the id.
std::vector<std::string> Described(const std::vector<v1::TenantResolution>& resolutions) {
  std::vector<std::string> described;
  for (const v1::TenantResolution& resolution : resolutions) {
    described.push_back(absl::StrCat(resolution.line(), " ", resolution.ref().tenant(), " ",
                                     v1::TenantResolutionKind_Name(resolution.match())
                                         .substr(std::string("TENANT_RESOLUTION_KIND_").size())));
  }
  return described;
}

TEST_F(ResolveTenantsTest, EachInputIsResolvedInItsOrder) {
  Ask({"t1", "Tenant 3", "TENANT-2", "Tenent 4", "Umbrella"});
  ASSERT_EQ(Call().reason, "OK");
  EXPECT_THAT(Described(resolutions_), ElementsAre("10 t1 EXACT", "20 t3 EXACT", "30 t2 NORMALISED",
                                                   "40  SIMILAR", "50  NONE"));
  EXPECT_EQ(point_.snapshot(), snapshot_);
  EXPECT_EQ(resolutions_[0].input(), "t1");
  EXPECT_EQ(resolutions_[0].ref().label(), "Tenant 1");
  EXPECT_EQ(resolutions_[0].ref().store(), "main");
  EXPECT_EQ(resolutions_[0].at_point().rows(), 3);
  EXPECT_FALSE(resolutions_[0].has_live());
  EXPECT_FALSE(resolutions_[3].has_ref());
  ASSERT_EQ(resolutions_[3].candidates_size(), 5);
  EXPECT_EQ(resolutions_[3].candidates(0).ref().tenant(), "t4");
  EXPECT_EQ(resolutions_[3].candidates(0).at_point().rows(), 6);
  EXPECT_LT(resolutions_[3].candidates(0).score(), 1);
}

TEST_F(ResolveTenantsTest, LiveRowsAreCountedIfAskedForAndSayWhatWasLost) {
  site_.DeleteTenant("t1");
  site_.DeleteTenant("t4");
  site_.Put("t4", "issue", "0", "text");
  site_.Put("new", "issue", "0", "text");
  Ask({"t1", "t2", "t4", "new"});
  request_.set_count_live(true);
  ASSERT_EQ(Call().reason, "OK");
  ASSERT_EQ(resolutions_.size(), 4);
  EXPECT_TRUE(resolutions_[0].has_live());
  EXPECT_EQ(resolutions_[0].loss(), v1::TENANT_LOSS_GONE);
  EXPECT_EQ(resolutions_[1].live().rows(), 4);
  EXPECT_EQ(resolutions_[1].loss(), v1::TENANT_LOSS_UNSPECIFIED);
  EXPECT_EQ(resolutions_[2].live().rows(), 1);
  EXPECT_EQ(resolutions_[2].loss(), v1::TENANT_LOSS_SHRUNKEN);
  EXPECT_EQ(resolutions_[3].match(), v1::TENANT_RESOLUTION_KIND_EXACT);
  EXPECT_FALSE(resolutions_[3].has_at_point());
}

TEST_F(ResolveTenantsTest, TenantsThatWereLostAndThatNobodyNamedFollow) {
  site_.DeleteTenant("t1");
  site_.DeleteTenant("t3");
  Ask({"Tenant 1", "t2", "Tenent 3"});
  request_.set_with_lost(true);
  ASSERT_EQ(Call().reason, "OK");
  EXPECT_THAT(Described(resolutions_),
              ElementsAre("10 t1 EXACT", "20 t2 EXACT", "30  SIMILAR", "0 t3 UNSPECIFIED"));
  EXPECT_EQ(resolutions_[3].ref().label(), "Tenant 3");
  EXPECT_EQ(resolutions_[3].at_point().rows(), 5);
  EXPECT_EQ(resolutions_[3].loss(), v1::TENANT_LOSS_GONE);
}

TEST_F(ResolveTenantsTest, ManyInputsAreAnsweredInSeveralMessages) {
  std::vector<std::string> texts;
  for (int i = 0; i < 20'000; ++i) {
    texts.push_back(absl::StrCat("t", i % 5));
  }
  Ask(texts);
  ASSERT_EQ(Call().reason, "OK");
  ASSERT_EQ(resolutions_.size(), 20'000);
  EXPECT_EQ(resolutions_.back().line(), 200'000);
  EXPECT_EQ(resolutions_.back().ref().tenant(), "t4");
  EXPECT_GT(messages_, 1);
}

TEST_F(ResolveTenantsTest, AWrongRequestIsRefusedWithItsField) {
  EXPECT_EQ(Call().field, "inputs");
  Ask({"t1", ""});
  EXPECT_EQ(Call().field, "inputs[1].text");
  request_.mutable_inputs(1)->set_text(std::string(1025, 'x'));
  EXPECT_EQ(Call().field, "inputs[1].text");
  request_.mutable_inputs(1)->set_text("t2");
  request_.mutable_inputs(1)->set_line(-1);
  EXPECT_EQ(Call().field, "inputs[1].line");
  request_.mutable_inputs(1)->set_line(1);
  request_.set_lost_fraction(1.5);
  EXPECT_EQ(Call().field, "lost_fraction");
  request_.set_lost_fraction(0);
  request_.clear_at();
  EXPECT_EQ(Call().field, "at");
  request_.set_at("yesterday");
  EXPECT_EQ(Call().reason, "POINT_INVALID");
  request_.set_at("latest");
  request_.set_store("wiki");
  EXPECT_EQ(Call().reason, "STORE_NOT_FOUND");
}

TEST_F(ResolveTenantsTest, MoreInputsThanACallTakesAreRefused) {
  Ask(std::vector<std::string>(50'001, "t1"));
  const WireError error = Call();
  EXPECT_EQ(error.field, "inputs");
  EXPECT_THAT(error.message, HasSubstr("1 to 50000"));
}

}  // namespace
}  // namespace reinstate
