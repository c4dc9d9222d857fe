#include "storage/rocks/rocksdb_status.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/base/error.h"

namespace reinstate {
namespace {

using rocksdb::Status;

TEST(FromRocksdb, LeavesSuccessAsItIs) { EXPECT_TRUE(FromRocksdb(Status::OK(), "reading").ok()); }

TEST(FromRocksdb, GivesEachErrorTheReasonThatSaysWhatToDo) {
  struct Case {
    Status status;
    const char* reason;
  };
  const std::vector<Case> cases = {
      {Status::NoSpace("a"), "NO_SPACE"},
      {Status::SpaceLimit("a"), "NO_SPACE"},
      {Status::Corruption("a"), "CORRUPT"},
      {Status::NotFound("a"), "CORRUPT"},
      {Status::PathNotFound("a"), "CORRUPT"},
      {Status::ShutdownInProgress("a"), "SHUTTING_DOWN"},
      {Status::IOError("a"), "UNAVAILABLE"},
      {Status::IOError("/srv/lock /a", "b"), "UNAVAILABLE"},
      {Status::Busy("a"), "UNAVAILABLE"},
      {Status::TimedOut("a"), "UNAVAILABLE"},
      {Status::TryAgain("a"), "UNAVAILABLE"},
      {Status::Aborted("a"), "UNAVAILABLE"},
      {Status::Incomplete("a"), "UNAVAILABLE"},
      {Status::InvalidArgument("a"), "INTERNAL"},
      {Status::NotSupported("a"), "INTERNAL"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(ReasonOf(FromRocksdb(each.status, "reading")), each.reason) << each.status.ToString();
  }
}

TEST(FromRocksdb, SaysWhatWasDoneAndWhatToDo) {
  EXPECT_EQ(FromRocksdb(Status::Corruption("bad block"), "cannot read the state").message(),
            "cannot read the state: Corruption: bad block; files are damaged or missing: bring "
            "them back from a copy");
}

}  // namespace
}  // namespace reinstate
