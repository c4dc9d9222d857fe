#include "server/config/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/config/toml_section.h"
#include "storage/base/error.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ConfigFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<DaemonConfig> Read(const std::string& text) {
    path_ = dir_.path() + "/reinstated.toml";
    std::ofstream(path_) << text;
    return ReadConfigFile(path_);
  }

  // The sentence with which `text` is refused.
  std::string Refusal(const std::string& text) {
    const absl::StatusOr<DaemonConfig> config = Read(text);
    EXPECT_FALSE(config.ok()) << text;
    EXPECT_TRUE(HasReason(config.status(), Reason::kConfigInvalid)) << config.status();
    return std::string(config.status().message());
  }

  TempDir dir_;
  std::string path_;
};

std::string ReadFile(const std::string& path) {
  std::ostringstream contents;
  contents << std::ifstream(path).rdbuf();
  return contents.str();
}

TEST_F(ConfigFileTest, LeavesTheDefaultsOfAnEmptyFile) {
  const absl::StatusOr<DaemonConfig> config = Read("");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->listen, ElementsAre("127.0.0.1:7420"));
  EXPECT_EQ(config->restore_workers, 0);
  EXPECT_THAT(config->stores, IsEmpty());
}

TEST_F(ConfigFileTest, TakesEveryKindOfValue) {
  const absl::StatusOr<DaemonConfig> config = Read(R"(
data = "/srv/reinstate"
listen = ["127.0.0.1:0", "unix:/run/reinstated"]
insecure = true
[memory]
snapshots = "1GiB"
history_cache = 2097152
[restores]
undo_validity = "2w"
lock_timeout = "1m30s"
[collapse]
vanished_fraction = 0.25
[[store]]
name = "crm"
label_table = "account"
[store.snapshots]
every = "15m"
keep_daily = 7
grace = "3d"
[[store]]
name = "far"
adapter = "remote"
address = "far.example:7421"
ca = "ca.pem"
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data, "/srv/reinstate");
  EXPECT_THAT(config->listen, ElementsAre("127.0.0.1:0", "unix:/run/reinstated"));
  EXPECT_TRUE(config->insecure);
  EXPECT_EQ(config->snapshot_memory_bytes, 1LL << 30);
  EXPECT_EQ(config->block_cache_bytes, 2097152);
  EXPECT_EQ(config->undo_validity, absl::Hours(14 * 24));
  EXPECT_EQ(config->lock_timeout, absl::Seconds(90));
  EXPECT_EQ(config->collapse.vanished_fraction, 0.25);
  ASSERT_EQ(config->stores.size(), 2);
  EXPECT_EQ(config->stores[0].label_table, "account");
  EXPECT_EQ(config->stores[0].snapshot_every, absl::Minutes(15));
  EXPECT_EQ(config->stores[0].retention.keep_daily, 7);
  EXPECT_EQ(config->stores[0].retention.grace, absl::Hours(72));
  EXPECT_EQ(config->stores[1].address, "far.example:7421");
}

TEST_F(ConfigFileTest, RefusesAnUnknownKeyWithItsLine) {
  EXPECT_EQ(Refusal("insecure = true\n\nlisten_on = \"x\"\n").substr(0, path_.size() + 28),
            path_ + ":3: listen_on is not known; ");
}

TEST_F(ConfigFileTest, RefusesAnUnknownKeyInASectionWithItsNameAndWhatIsKnown) {
  const std::string refusal =
      Refusal("[[store]]\nname = \"a\"\n[store.snapshots]\nevry = \"1h\"\n");
  EXPECT_THAT(refusal,
              HasSubstr(":4: evry is not known in [store.snapshots]; these are: every, grace"));
}

TEST_F(ConfigFileTest, ComplainsAboutEverythingThatIsWrongAtOnce) {
  const std::string refusal = Refusal("listen = 7420\ninsecure = \"yes\"\n[workers]\ncalls = 0\n");
  EXPECT_THAT(refusal, HasSubstr(":1: listen must be"));
  EXPECT_THAT(refusal, HasSubstr(":2: insecure must be true or false."));
  EXPECT_THAT(refusal, HasSubstr(":4: calls must be a whole number from 1 to 256."));
}

TEST_F(ConfigFileTest, RefusesWhatIsNoTomlWithItsLine) {
  EXPECT_THAT(Refusal("data = \"a\"\nlisten = \n"), HasSubstr(path_ + ":2: "));
}

TEST_F(ConfigFileTest, RefusesAFileThatIsNotThere) {
  const absl::StatusOr<DaemonConfig> config = ReadConfigFile(dir_.path() + "/none.toml");
  EXPECT_TRUE(HasReason(config.status(), Reason::kConfigInvalid)) << config.status();
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("none.toml"));
}

TEST_F(ConfigFileTest, RefusesBadValuesOfEachKind) {
  for (const char* text : {
           "[restores]\nlock_timeout = \"soon\"",
           "[restores]\nlock_timeout = \"-5s\"",
           "[restores]\nlock_timeout = 10",
           "[memory]\nsnapshots = \"256MB\"",
           "[memory]\nsnapshots = \"99999999999GiB\"",
           "[memory]\nsnapshots = \"1KiB\"",
           "[collapse]\nvanished_fraction = 1.5",
           "[collapse]\nvanished_fraction = nan",
           "[log]\nlevel = \"loud\"",
           "[log]\nformat = 1",
           "listen = []",
           "listen = \"7420\"",
           "listen = \"127.0.0.1:70000\"",
           "data = \"a\\u0000b\"",
           "[tls]\ncertificate = \"c.pem\"",
           "[tls]\nclient_ca = \"ca.pem\"",
           "tls = 1",
           "store = 1",
           "[store]\nname = \"a\"",
       }) {
    EXPECT_THAT(Refusal(text), HasSubstr(path_ + ":")) << text;
  }
}

TEST_F(ConfigFileTest, RefusesBadStores) {
  for (const char* text : {
           "[[store]]\n",
           "[[store]]\nname = \"Main\"",
           "[[store]]\nname = \"1a\"",
           "[[store]]\nname = \"a; DROP TABLE tenant\"",
           "[[store]]\nname = \"a\"\n[[store]]\nname = \"a\"",
           "[[store]]\nname = \"a\"\nadapter = \"oracle\"",
           "[[store]]\nname = \"a\"\nadapter = \"remote\"",
           "[[store]]\nname = \"a\"\nadapter = \"remote\"\naddress = \"h:1\"\npath = \"p\"",
           "[[store]]\nname = \"a\"\naddress = \"h:1\"",
           "[[store]]\nname = \"a\"\nca = \"ca.pem\"",
           "[[store]]\nname = \"a\"\nadapter = \"remote\"\naddress = \"h:1\"\nca = \"c\"\nkey = "
           "\"k\"",
           "[[store]]\nname = \"a\"\nmax_running_restores = 0",
           "[[store]]\nname = \"a\"\n[store.snapshots]\nkeep_last = -1",
       }) {
    EXPECT_THAT(Refusal(text), HasSubstr(path_ + ":")) << text;
  }
}

// The example says that its values are the defaults and that it has every key.
constexpr char kTwoStores[] = R"(
[[store]]
name = "main"
adapter = "embedded"
[[store]]
name = "wiki"
adapter = "embedded"
)";

TEST_F(ConfigFileTest, TakesBatchesAndGroups) {
  const absl::StatusOr<DaemonConfig> config = Read(std::string(R"(
[batches]
max_lines = 500
shrink_watch = "0s"
)") + kTwoStores + R"(
[[group]]
name = "site"
stores = ["wiki", "main"]
[group.tenants]
wiki = "site-{id}"
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->max_batch_lines, 500);
  EXPECT_EQ(config->shrink_watch, absl::ZeroDuration());
  ASSERT_EQ(config->groups.size(), 1U);
  EXPECT_EQ(config->groups[0].name, "site");
  EXPECT_THAT(config->groups[0].stores, ElementsAre("wiki", "main"));
  EXPECT_EQ(config->groups[0].tenants.at("wiki"), "site-{id}");
  EXPECT_EQ(config->groups[0].tenants.count("main"), 0U);
}

TEST_F(ConfigFileTest, RefusesBadBatchesAndGroups) {
  EXPECT_THAT(Refusal("[batches]\nmax_lines = 0"), HasSubstr("max_lines"));
  EXPECT_THAT(Refusal("[batches]\nmax_lines = 1000000000"), HasSubstr("max_lines"));
  EXPECT_THAT(Refusal("[batches]\nshrink_watch = \"-1s\""), HasSubstr("shrink_watch"));
  EXPECT_THAT(Refusal("[batches]\nlines = 5"), HasSubstr("lines"));
  const auto group = [&](const std::string& text) {
    return Refusal(absl::StrCat(kTwoStores, "[[group]]\n", text));
  };
  EXPECT_THAT(group("stores = [\"main\"]"), HasSubstr("name"));
  EXPECT_THAT(group("name = \"Site\"\nstores = [\"main\"]"), HasSubstr("name"));
  EXPECT_THAT(group("name = \"main\"\nstores = [\"main\"]"), HasSubstr("used twice: main"));
  EXPECT_THAT(group("name = \"site\""), HasSubstr("stores"));
  EXPECT_THAT(group("name = \"site\"\nstores = [\"nope\"]"), HasSubstr("names nope"));
  EXPECT_THAT(group("name = \"site\"\nstores = [\"main\", \"main\"]"), HasSubstr("names main"));
  EXPECT_THAT(group("name = \"site\"\nstores = [\"main\"]\ntenants.main = \"x\""),
              HasSubstr("{id}"));
  EXPECT_THAT(group("name = \"site\"\nstores = [\"main\"]\ntenants.wiki = \"{id}\""),
              HasSubstr("wiki"));
  EXPECT_THAT(group("name = \"site\"\nstores = [\"main\"]\n[[group]]\nname = \"site\"\nstores = "
                    "[\"wiki\"]"),
              HasSubstr("used twice: site"));
}

TEST_F(ConfigFileTest, TheExampleIsTheDefaultAlsoWithEverythingUncommented) {
  const absl::StatusOr<DaemonConfig> as_it_is = ReadConfigFile(REINSTATE_EXAMPLE_CONFIG);
  ASSERT_TRUE(as_it_is.ok()) << as_it_is.status();
  const std::string uncommented =
      std::regex_replace(ReadFile(REINSTATE_EXAMPLE_CONFIG),
                         std::regex("(^|\n)# (\\[\\[?[a-z.]+\\]?\\]|[a-z_]+ = )"), "$1$2");
  // An embedded store has no keys of a remote one.
  const size_t store = uncommented.find("[[store]]");
  const std::regex of_remote("\n(address|remote_name|ca|certificate|key) = [^\n]*");
  absl::StatusOr<DaemonConfig> full = Read(
      uncommented.substr(0, store) + std::regex_replace(uncommented.substr(store), of_remote, ""));
  ASSERT_TRUE(full.ok()) << full.status() << "\n" << uncommented;
  const DaemonConfig defaults;
  EXPECT_EQ(full->listen, defaults.listen);
  EXPECT_EQ(full->insecure, defaults.insecure);
  EXPECT_EQ(full->shutdown_timeout, defaults.shutdown_timeout);
  EXPECT_EQ(full->state_reserve_bytes, defaults.state_reserve_bytes);
  EXPECT_EQ(full->log.level, defaults.log.level);
  EXPECT_EQ(full->log.format, defaults.log.format);
  EXPECT_EQ(full->restore_workers, defaults.restore_workers);
  EXPECT_EQ(full->call_workers, defaults.call_workers);
  EXPECT_EQ(full->snapshot_readers, defaults.snapshot_readers);
  EXPECT_EQ(full->snapshot_memory_bytes, defaults.snapshot_memory_bytes);
  EXPECT_EQ(full->restore_memory_bytes, defaults.restore_memory_bytes);
  EXPECT_EQ(full->block_cache_bytes, defaults.block_cache_bytes);
  EXPECT_EQ(full->lock_timeout, defaults.lock_timeout);
  EXPECT_EQ(full->commit_timeout, defaults.commit_timeout);
  EXPECT_EQ(full->max_attempts, defaults.max_attempts);
  EXPECT_EQ(full->undo_validity, defaults.undo_validity);
  EXPECT_EQ(full->aging, defaults.aging);
  EXPECT_EQ(full->collapse.vanished_fraction, defaults.collapse.vanished_fraction);
  EXPECT_EQ(full->collapse.shrunken_fraction, defaults.collapse.shrunken_fraction);
  EXPECT_EQ(full->collapse.min_tenants, defaults.collapse.min_tenants);
  ASSERT_EQ(full->stores.size(), 2);
  EXPECT_EQ(full->stores[0].adapter, StoreConfig().adapter);
  EXPECT_EQ(full->stores[0].label_table, StoreConfig().label_table);
  EXPECT_EQ(full->stores[0].max_running_restores, StoreConfig().max_running_restores);
  EXPECT_EQ(full->stores[0].retention.grace, RetentionPolicy().grace);
  EXPECT_EQ(full->stores[1].adapter, "postgres");
  EXPECT_EQ(full->stores[1].postgres.port, PostgresConfig().port);
  EXPECT_EQ(full->stores[1].postgres.allow_superuser, PostgresConfig().allow_superuser);
  EXPECT_EQ(full->stores[1].postgres.references.size(), 1);
  ASSERT_EQ(full->hooks.size(), 1);
  EXPECT_EQ(full->hooks[0].timeout, Hook().timeout);
  EXPECT_EQ(full->hooks[0].retries, Hook().retries);
  EXPECT_EQ(full->hooks[0].required, Hook().required);
  EXPECT_EQ(full->hooks[0].when, Hook().when);
  const PostgresHealthConfig& health = full->stores[1].postgres.health;
  const PostgresHealthConfig healthy;
  EXPECT_EQ(health.max_wal_bytes_per_second, healthy.max_wal_bytes_per_second);
  EXPECT_EQ(health.max_replication_lag_bytes, healthy.max_replication_lag_bytes);
  EXPECT_EQ(health.min_slot_headroom_bytes, healthy.min_slot_headroom_bytes);
  EXPECT_EQ(health.max_commit_latency, healthy.max_commit_latency);
  EXPECT_EQ(health.max_sessions_waiting, healthy.max_sessions_waiting);
}

TEST_F(ConfigFileTest, TakesEveryKeyOfAPostgresStore) {
  const absl::StatusOr<DaemonConfig> config = Read(R"toml(
[[store]]
name = "app"
adapter = "postgres"
conninfo = "sslmode=require"
service = "app"
host = "db.example"
port = 5433
database = "app"
user = "reinstate"
password_file = "/etc/reinstate/pgpass"
search_path = ["app", "public"]
allow_superuser = true
may_fire = ["audit"]
tenant_table = "sites"
tenant_key = "id"
tenant_columns = "site_id"
labels = ["name", "domain"]
shared = []
excluded = { jobs = "they would run again", "app.sessions" = "they would be valid again" }
owner = { blobs = "split_part(t.path, '/', 1)" }
ownerless = ["notes"]
orphans = ["votes"]
[store.health]
max_wal_bytes_per_second = "64MiB"
max_replication_lag = 0
min_slot_headroom = "2GiB"
max_commit_latency = "250ms"
max_sessions_waiting = 3
[[store.reference]]
table = "files"
columns = ["a", "b"]
parent = "issues"
parent_columns = ["c", "d"]
)toml");
  ASSERT_TRUE(config.ok()) << config.status();
  const PostgresConfig& postgres = config->stores[0].postgres;
  EXPECT_EQ(postgres.conninfo, "sslmode=require");
  EXPECT_EQ(postgres.service, "app");
  EXPECT_EQ(postgres.host, "db.example");
  EXPECT_EQ(postgres.port, 5433);
  EXPECT_EQ(postgres.database, "app");
  EXPECT_EQ(postgres.user, "reinstate");
  EXPECT_EQ(postgres.password_file, "/etc/reinstate/pgpass");
  EXPECT_THAT(postgres.search_path, ElementsAre("app", "public"));
  EXPECT_TRUE(postgres.allow_superuser);
  EXPECT_THAT(postgres.may_fire, ElementsAre("audit"));
  EXPECT_EQ(postgres.tenant_table, "sites");
  EXPECT_EQ(postgres.tenant_key, "id");
  EXPECT_THAT(postgres.tenant_columns, ElementsAre("site_id"));
  EXPECT_THAT(postgres.labels, ElementsAre("name", "domain"));
  EXPECT_THAT(postgres.shared, IsEmpty());
  EXPECT_EQ(postgres.excluded.at("app.sessions"), "they would be valid again");
  EXPECT_EQ(postgres.owner.at("blobs"), "split_part(t.path, '/', 1)");
  EXPECT_THAT(postgres.ownerless, ElementsAre("notes"));
  EXPECT_THAT(postgres.orphans, ElementsAre("votes"));
  EXPECT_EQ(postgres.health.max_wal_bytes_per_second, 64 << 20);
  EXPECT_EQ(postgres.health.max_replication_lag_bytes, 0);
  EXPECT_EQ(postgres.health.min_slot_headroom_bytes, 2LL << 30);
  EXPECT_EQ(postgres.health.max_commit_latency, absl::Milliseconds(250));
  EXPECT_EQ(postgres.health.max_sessions_waiting, 3);
  ASSERT_EQ(postgres.references.size(), 1);
  EXPECT_EQ(postgres.references[0].parent, "issues");
  EXPECT_THAT(postgres.references[0].parent_columns, ElementsAre("c", "d"));
}

TEST_F(ConfigFileTest, RefusesWhatIsWrongWithAPostgresStoreWithItsLine) {
  const std::string refusal = Refusal(R"([[store]]
name = "app"
adapter = "postgres"
port = 70000
path = "/srv"
address = "far:1"
labels = ["name"]
excluded = { jobs = "" }
owner = { blobs = 7 }
tenant_colums = ["site_id"]
[store.health]
max_commit_latency = "-1s"
max_lag = "1GiB"
[[store.reference]]
table = "files"
columns = ["a"]
)");
  for (const char* const expected :
       {":4: port", ":5: path is for embedded", ":6: address is for remote",
        ":7: labels needs tenant_table", ":8: excluded needs a reason",
        ":9: owner must have a text", ":10: tenant_colums is not known",
        ":12: max_commit_latency must be", ":13: max_lag is not known in [store.health]",
        "parent is required", ":16: columns must be as many"}) {
    EXPECT_THAT(refusal, HasSubstr(expected));
  }
  EXPECT_THAT(Refusal("[[store]]\nname = \"a\"\ntenant_table = \"sites\"\n"),
              HasSubstr(":3: tenant_table is for PostgreSQL stores only."));
  EXPECT_THAT(Refusal("[[store]]\nname = \"a\"\n[store.health]\nmax_commit_latency = \"1s\"\n"),
              HasSubstr("health is for PostgreSQL stores only."));
}

TEST_F(ConfigFileTest, TakesHooksInTheirOrder) {
  const absl::StatusOr<DaemonConfig> config = Read(R"(
[[hook]]
name = "freeze"
when = "before"
command = ["/usr/bin/env", "freeze", ""]
timeout = "2m"
retries = 0
required = true
stores = ["crm"]
[[hook]]
name = "index"
when = "after"
url = "https://index.example/hook?a=b"
[[store]]
name = "crm"
)");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->hooks.size(), 2);
  const Hook& freeze = config->hooks[0];
  EXPECT_EQ(freeze.name, "freeze");
  EXPECT_EQ(freeze.when, Hook::When::kBefore);
  EXPECT_THAT(freeze.command, ElementsAre("/usr/bin/env", "freeze", ""));
  EXPECT_EQ(freeze.timeout, absl::Minutes(2));
  EXPECT_EQ(freeze.retries, 0);
  EXPECT_TRUE(freeze.required);
  EXPECT_THAT(freeze.stores, ElementsAre("crm"));
  const Hook& index = config->hooks[1];
  EXPECT_EQ(index.when, Hook::When::kAfter);
  EXPECT_EQ(index.url, "https://index.example/hook?a=b");
  EXPECT_THAT(index.command, IsEmpty());
  EXPECT_THAT(index.stores, IsEmpty());
  EXPECT_EQ(index.timeout, absl::Seconds(30));
  EXPECT_EQ(index.retries, 2);
  EXPECT_FALSE(index.required);
}

TEST_F(ConfigFileTest, AHookMayBeForTheStoreThatIsThereWithoutAny) {
  EXPECT_TRUE(Read("[[hook]]\nname = \"a\"\nwhen = \"after\"\nurl = \"http://h\"\n"
                   "stores = \"main\"\n")
                  .ok());
}

TEST_F(ConfigFileTest, RefusesBadHooksWithTheirLines) {
  const std::string begin = "[[hook]]\nname = \"a\"\nwhen = \"after\"\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[[hook]]\nwhen = \"after\"\nurl = \"http://h\"\n", ":1: name is required"},
      {"[[hook]]\nname = \"A b\"\nwhen = \"after\"\nurl = \"http://h\"\n", ":2: name is required"},
      {"[[hook]]\nname = \"a\"\nurl = \"http://h\"\n", ":1: when must be one of before, after"},
      {"[[hook]]\nname = \"a\"\nwhen = \"during\"\nurl = \"http://h\"\n",
       ":3: when must be one of before, after"},
      {begin, ":1: command is required"},
      {begin + "command = [\"/bin/true\"]\nurl = \"http://h\"\n", ":5: url is required, or"},
      {begin + "command = \"true\"\n", ":4: command must be the whole path"},
      {begin + "command = [\"/bin/a\", \"b\\u0000c\"]\n", ":4: command must be the whole path"},
      {begin + "command = [1]\n", ":4: command must be"},
      {begin + "url = \"ftp://h\"\n", ":4: url must begin with http"},
      {begin + "url = \"http://\"\n", ":4: url must begin with http"},
      {begin + "url = \"http:///path\"\n", ":4: url must begin with http"},
      {begin + "url = \"http://h/a b\"\n", ":4: url must begin with http"},
      {begin + "url = \"http://h\"\nstores = [\"nobody\"]\n",
       ":5: stores names nobody, which is none of the stores: main."},
      {begin + "url = \"http://h\"\ntimeout = \"1ms\"\n", ":5: timeout must be a duration"},
      {begin + "url = \"http://h\"\ntimeout = \"inf\"\n", ":5: timeout must be at most 1h"},
      {begin + "url = \"http://h\"\nretries = -1\n", ":5: retries must be a whole number"},
      {begin + "url = \"http://h\"\nrequired = 1\n", ":5: required must be true or false"},
      {begin + "url = \"http://h\"\nmethod = \"GET\"\n", ":5: method is not known in [hook]"},
      {begin + "url = \"http://h\"\n" + begin + "url = \"http://h\"\n",
       ":6: name is used twice: a."},
      {"[hook]\nname = \"a\"\n", ":1: hook must be written as [[hook]]"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(Refusal(text), HasSubstr(expected)) << text;
  }
}

TEST(ParseConfigDuration, KnowsDaysAndWeeks) {
  EXPECT_EQ(*ParseConfigDuration("7d"), absl::Hours(168));
  EXPECT_EQ(*ParseConfigDuration("2w"), absl::Hours(336));
  EXPECT_EQ(*ParseConfigDuration("1h30m"), absl::Minutes(90));
  EXPECT_FALSE(ParseConfigDuration("7").ok());
  EXPECT_FALSE(ParseConfigDuration("d").ok());
  EXPECT_FALSE(ParseConfigDuration("").ok());
}

TEST(ParseConfigBytes, KnowsBinaryUnitsOnly) {
  EXPECT_EQ(*ParseConfigBytes("4096"), 4096);
  EXPECT_EQ(*ParseConfigBytes("3 KiB"), 3072);
  EXPECT_EQ(*ParseConfigBytes("1TiB"), 1LL << 40);
  EXPECT_FALSE(ParseConfigBytes("1GB").ok());
  EXPECT_FALSE(ParseConfigBytes("MiB").ok());
  EXPECT_FALSE(ParseConfigBytes("-1").ok());
  EXPECT_FALSE(ParseConfigBytes("9223372036854775807KiB").ok());
}

}  // namespace
}  // namespace reinstate
