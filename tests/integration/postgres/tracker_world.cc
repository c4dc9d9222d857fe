#include "tests/integration/postgres/tracker_world.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/postgres_site_config.h"

namespace reinstate {
namespace {

void Require(const absl::Status& status, const char* what) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
    std::abort();
  }
}

template <typename T>
T Require(absl::StatusOr<T> value, const char* what) {
  Require(value.status(), what);
  return *std::move(value);
}

}  // namespace

TrackerWorld::TrackerWorld(PostgresServer* server, std::vector<int64_t> sizes)
    : server_(server),
      site_(std::move(sizes)),
      expected_(site_),
      at_first_(site_),
      database_name_(server->MakeDatabase()),
      database_(Connect()) {
  Require(site_.Load(database_.get()), "load the tracker");
  Require(MakeDaemonRole(server_->OnSocket(database_name_)), "make the daemon's role");
}

std::unique_ptr<PlainDatabase> TrackerWorld::Connect() const {
  return Require(PlainDatabase::Connect(server_->OnSocket(database_name_)), "connect");
}

std::vector<std::string> TrackerWorld::DaemonArguments(int port) {
  const std::string path = folder_.path() + "/reinstated.toml";
  // Four workers on every machine. The store is last, so that tests can say more of it.
  Require(WriteSiteConfig(port == 0 ? server_->port() : port, database_name_, path,
                          "[workers]\nrestores = 4\n"),
          "write the configuration");
  return {"--config", path};
}

void TrackerWorld::Run(const std::string& sql) { Require(database_->Run(sql), sql.c_str()); }

void TrackerWorld::Delete(const std::vector<size_t>& sites) {
  std::vector<int64_t> ids;
  ids.reserve(sites.size());
  for (const size_t site : sites) {
    ids.push_back(Id(site));
    expected_.Forget(Id(site));
  }
  Require(DeleteSites(database_.get(), ids, /*silent=*/false), "delete sites");
}

void TrackerWorld::ExpectAtFirst(const std::vector<size_t>& sites) {
  for (const size_t site : sites) {
    expected_.Set(Id(site), at_first_.Get(Id(site)));
  }
}

std::unique_ptr<SiteWriter> TrackerWorld::Write(const std::vector<size_t>& sites, uint64_t seed) {
  std::vector<int64_t> ids;
  ids.reserve(sites.size());
  for (const size_t site : sites) {
    ids.push_back(Id(site));
  }
  return std::make_unique<SiteWriter>(server_->OnSocket(database_name_), std::move(ids), seed,
                                      &expected_);
}

void TrackerWorld::ExpectAllAsItMustBe() {
  for (const std::string& difference :
       Require(expected_.Differences(database_.get()), "read every row")) {
    ADD_FAILURE() << difference;
  }
  EXPECT_EQ(Require(database_->Value(absl::StrCat("SELECT count(*) FROM notifications WHERE "
                                                  "by_role = '",
                                                  kDaemonRole, "'")),
                    "count notifications"),
            "0")
      << "a restore must not set off triggers";
}

void TrackerWorld::AwaitDaemonGone() {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (Require(database_->Value("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                  "current_database() AND usename = $1",
                                  {kDaemonRole}),
                 "look for the daemon") != "0") {
    Require(absl::Now() < deadline ? absl::OkStatus() : absl::DeadlineExceededError("they stay"),
            "wait until the connections of the killed daemon are gone");
    absl::SleepFor(absl::Milliseconds(2));
  }
}

SiteRows TrackerWorld::Read(size_t site) {
  return Require(ReadSite(database_.get(), Id(site)), "read a site");
}

}  // namespace reinstate
