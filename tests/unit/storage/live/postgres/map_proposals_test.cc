#include "storage/live/postgres/map_proposals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "storage/live/postgres/tenant_guess.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/storage/live/postgres/catalog_builder.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class MapProposalsTest : public ::testing::Test {
 protected:
  MapProposalsTest() {
    builder_.AddTable("sites", {{.name = "id"}, {.name = "name", .type = "text"}}, {"id"});
    builder_.AddTable("countries", {{.name = "code", .type = "text"}}, {"code"});
    builder_.AddTable("users",
                      {{.name = "id"}, {.name = "site_id"}, {.name = "country", .type = "text"}},
                      {"id"});
    builder_.AddForeignKey("users", {"site_id"}, "sites", {"id"});
    builder_.AddForeignKey("users", {"country"}, "countries", {"code"});
    builder_.AddTable("issues", {{.name = "id"}, {.name = "author"}}, {"id"});
    builder_.AddForeignKey("issues", {"author"}, "users", {"id"});
    for (const std::string table : {"sites", "countries", "users", "issues"}) {
      Grant(table);
    }
  }

  void Grant(const std::string& table) {
    builder_.Table(table).privileges = {.schema_usage = true,
                                        .select = true,
                                        .insert = true,
                                        .update = true,
                                        .update_some_column = true,
                                        .del = true};
  }

  void AddGranted(const std::string& name) {
    builder_.AddTable(name, {{.name = "id"}, {.name = "site_id"}}, {"id"});
    Grant(name);
  }

  StoreDiscovery Propose() {
    absl::StatusOr<StoreDiscovery> discovery = ProposeMap(builder_.catalog(), config_);
    EXPECT_THAT(discovery, IsOk());
    return *std::move(discovery);
  }

  static std::vector<std::string> Remarks(const StoreDiscovery& discovery,
                                          const std::string& table) {
    for (size_t i = 0; i < discovery.map.tables.size(); ++i) {
      if (discovery.map.tables[i].schema.name == table) {
        return discovery.findings[i].remarks;
      }
    }
    return {"no such table"};
  }

  CatalogBuilder builder_;
  MapConfig config_;
};

TEST(WordsOf, PartsNamesAsPeopleWriteThem) {
  EXPECT_THAT(WordsOf("user_sessions"), ElementsAre("user", "sessions"));
  EXPECT_THAT(WordsOf("userSessions"), ElementsAre("user", "sessions"));
  EXPECT_THAT(WordsOf("API-Token"), ElementsAre("api", "token"));
  EXPECT_THAT(WordsOf("__x__"), ElementsAre("x"));
  EXPECT_THAT(WordsOf(""), IsEmpty());
}

TEST_F(MapProposalsTest, GuessesTheTenantTableItsColumnsAndItsLabels) {
  const MapConfig guess = GuessTenants(builder_.catalog());
  EXPECT_EQ(guess.tenant_table, "sites");
  EXPECT_THAT(guess.tenant_columns, ElementsAre("site_id"));
  EXPECT_THAT(guess.label_columns, ElementsAre("name"));
}

TEST_F(MapProposalsTest, GuessesByTheNamesOfColumnsWhereThereAreNoForeignKeys) {
  CatalogBuilder builder;
  builder.AddTable("things", {{.name = "id"}, {.name = "tenantId", .type = "uuid"}}, {"id"});
  builder.AddTable("others", {{.name = "id"}, {.name = "tenantId", .type = "uuid"}}, {"id"});
  const MapConfig guess = GuessTenants(builder.catalog());
  EXPECT_EQ(guess.tenant_table, "");
  EXPECT_THAT(guess.tenant_columns, ElementsAre("tenantId"));
}

TEST_F(MapProposalsTest, GuessesNothingWhereThereIsNothingToGoBy) {
  CatalogBuilder builder;
  builder.AddTable("a", {{.name = "id"}}, {"id"});
  const MapConfig guess = GuessTenants(builder.catalog());
  EXPECT_EQ(guess.tenant_table, "");
  EXPECT_THAT(guess.tenant_columns, IsEmpty());
}

TEST_F(MapProposalsTest, TakesAllSpellingsOfTheTenantsColumnAndLabels) {
  CatalogBuilder builder;
  builder.AddTable(
      "Tenant", {{.name = "id", .type = "uuid"}, {.name = "displayName", .type = "text"}}, {"id"});
  for (const char* const name : {"a", "b", "c"}) {
    const std::string column = *name == 'a' ? "tenant_id" : "tenantId";
    builder.AddTable(name, {{.name = "id"}, {.name = column, .type = "uuid"}}, {"id"});
  }
  EXPECT_THAT(GuessTenants(builder.catalog()).tenant_columns, ElementsAre("tenantId", "tenant_id"));
}

TEST_F(MapProposalsTest, TakesColumnsThatAreCalledAfterTheKeyOfTheTenants) {
  CatalogBuilder builder;
  builder.AddTable("tenants", {{.name = "record_id"}}, {"record_id"});
  for (const char* const name : {"a", "b"}) {
    builder.AddTable(name, {{.name = "id"}, {.name = "tenant_record_id"}}, {"id"});
  }
  const MapConfig guess = GuessTenants(builder.catalog());
  EXPECT_EQ(guess.tenant_table, "tenants");
  EXPECT_THAT(guess.tenant_columns, ElementsAre("tenant_record_id"));
}

TEST_F(MapProposalsTest, ClimbsToWhatOwnsFarMoreThanAGoodName) {
  CatalogBuilder builder;
  builder.AddTable("plans", {{.name = "id"}}, {"id"});
  builder.AddTable("households", {{.name = "id"}, {.name = "plan_id"}}, {"id"});
  builder.AddForeignKey("households", {"plan_id"}, "plans", {"id"});
  const auto add = [&builder](const std::string& name, const std::string& parent) {
    builder.AddTable(name, {{.name = "id"}, {.name = "of"}}, {"id"});
    builder.AddForeignKey(name, {"of"}, parent, {"id"});
  };
  add("accounts", "households");
  add("entries", "accounts");
  for (const char* const name : {"people", "budgets", "rules", "goals"}) {
    add(name, "households");
  }
  const MapConfig guess = GuessTenants(builder.catalog());
  EXPECT_EQ(guess.tenant_table, "households") << "not plans, which own one table more";
  EXPECT_THAT(guess.tenant_columns, ElementsAre("of"));
}

TEST_F(MapProposalsTest, SaysThatAGuessOwnsFewTables) {
  EXPECT_THAT(Remarks(Propose(), "sites"), IsEmpty());
  for (const char* const name : {"one", "two", "three", "four", "five"}) {
    builder_.AddTable(name, {{.name = "id"}}, {"id"});
    Grant(name);
  }
  EXPECT_THAT(Remarks(Propose(), "sites"), ElementsAre(HasSubstr("owns only 3 of 9 tables")));
  config_.tenant_table = "sites";
  EXPECT_THAT(Remarks(Propose(), "sites"), IsEmpty()) << "it was said";
}

TEST_F(MapProposalsTest, AMapThatIsNotConfiguredIsShownAsGuessed) {
  const StoreDiscovery discovery = Propose();
  EXPECT_EQ(discovery.map.FindByName("users")->relation, Relation::kOwned);
  EXPECT_THAT(discovery.config, HasSubstr("tenant_table = \"sites\"\n"
                                          "tenant_columns = [\"site_id\"]\n"
                                          "labels = [\"name\"]\n"));
}

TEST_F(MapProposalsTest, WhatIsConfiguredIsNotGuessedOver) {
  config_.tenant_table = "users";
  const StoreDiscovery discovery = Propose();
  EXPECT_EQ(discovery.map.FindByName("sites")->relation, Relation::kUnresolved);
  EXPECT_THAT(discovery.config, HasSubstr("tenant_table = \"users\""));
}

TEST_F(MapProposalsTest, QueuesAndSessionsAreProposedAsExcludedAndNotExcluded) {
  AddGranted("job_queue");
  AddGranted("queue_items");
  AddGranted("UserSessions");
  AddGranted("email_outbox");
  AddGranted("api_tokens");
  AddGranted("jobsite_reports");
  const StoreDiscovery discovery = Propose();
  for (const char* const table :
       {"job_queue", "queue_items", "UserSessions", "email_outbox", "api_tokens"}) {
    EXPECT_EQ(discovery.map.FindByName(table)->relation, Relation::kOwned) << table;
    EXPECT_THAT(Remarks(discovery, table), ElementsAre(HasSubstr("proposed: excluded"))) << table;
  }
  EXPECT_THAT(Remarks(discovery, "jobsite_reports"), IsEmpty());
  EXPECT_THAT(discovery.config, HasSubstr("\"job_queue\" = \"restored jobs would run again\""));
}

TEST_F(MapProposalsTest, RowsOfTenantsAreNotLeftOutForAWordInTheMiddleOfAName) {
  AddGranted("job_variables");
  AddGranted("store_migrations");
  builder_.AddTable("schema_migrations", {{.name = "version", .type = "text"}}, {"version"});
  builder_.AddTable("job_locks", {{.name = "id"}}, {"id"});
  Grant("schema_migrations");
  Grant("job_locks");
  const StoreDiscovery discovery = Propose();
  EXPECT_THAT(Remarks(discovery, "job_variables"), IsEmpty());
  EXPECT_THAT(Remarks(discovery, "store_migrations"), IsEmpty());
  for (const char* const table : {"schema_migrations", "job_locks"}) {
    EXPECT_THAT(Remarks(discovery, table), ElementsAre(HasSubstr("proposed: excluded"))) << table;
  }
}

TEST_F(MapProposalsTest, WhatKeptRowsReferToIsNotProposedAsExcluded) {
  AddGranted("jobs");
  builder_.AddTable("results", {{.name = "id"}, {.name = "job_id", .nullable = true}}, {"id"});
  builder_.AddForeignKey("results", {"job_id"}, "jobs", {"id"});
  AddGranted("queues");
  builder_.AddTable("queue_jobs", {{.name = "id"}, {.name = "queue_id"}}, {"id"});
  builder_.AddForeignKey("queue_jobs", {"queue_id"}, "queues", {"id"});
  Grant("results");
  Grant("queue_jobs");
  const StoreDiscovery discovery = Propose();
  EXPECT_THAT(Remarks(discovery, "jobs"),
              ElementsAre(AllOf(HasSubstr("not proposed as excluded"),
                                HasSubstr("jobs would run again"), HasSubstr("rows of results"))));
  EXPECT_THAT(Remarks(discovery, "results"), IsEmpty());
  // The control arm: what is left out itself keeps nothing.
  EXPECT_THAT(Remarks(discovery, "queues"), ElementsAre(HasSubstr("proposed: excluded")));
  EXPECT_THAT(Remarks(discovery, "queue_jobs"), ElementsAre(HasSubstr("proposed: excluded")));
}

TEST_F(MapProposalsTest, SaysWhichRowsNeedTablesThatAreExcluded) {
  config_.tenant_table = "sites";
  config_.excluded = {{"countries", "the same for all"}};
  EXPECT_THAT(Remarks(Propose(), "users"),
              ElementsAre(AllOf(HasSubstr("rows of countries (foreign key users_country_fkey)"),
                                HasSubstr("since that table is excluded"))));
}

TEST_F(MapProposalsTest, SaysWhereRowsLoseTheirOwner) {
  builder_.LastForeignKey().on_delete = 'n';
  EXPECT_THAT(Remarks(Propose(), "issues"),
              ElementsAre(AllOf(HasSubstr("loses its owner when a row of users is deleted"),
                                HasSubstr("issues_author_fkey"))));
}

TEST_F(MapProposalsTest, WhatIsExcludedAlreadyIsLeftInPeace) {
  AddGranted("job_queue");
  config_.tenant_table = "sites";
  config_.excluded = {{"job_queue", "we know"}};
  const StoreDiscovery discovery = Propose();
  EXPECT_THAT(Remarks(discovery, "job_queue"), IsEmpty());
  EXPECT_THAT(discovery.config, HasSubstr("\"job_queue\" = \"we know\""));
}

TEST_F(MapProposalsTest, ATableThatOthersReferToIsProposedAsShared) {
  const StoreDiscovery discovery = Propose();
  EXPECT_EQ(discovery.map.FindByName("countries")->relation, Relation::kUnresolved);
  EXPECT_THAT(Remarks(discovery, "countries"), ElementsAre(HasSubstr("proposed: shared")));
  EXPECT_THAT(discovery.config, HasSubstr("shared = [\"countries\"]"));
}

TEST_F(MapProposalsTest, WhatNobodyKnowsIsAskedFor) {
  builder_.AddTable("blobs", {{.name = "id"}}, {"id"});
  Grant("blobs");
  EXPECT_THAT(Remarks(Propose(), "blobs"), ElementsAre(HasSubstr("say whose its rows are")));
}

TEST_F(MapProposalsTest, ReferencesAreGuessedFromTheNamesOfColumns) {
  const auto add = [this](const std::string& name,
                          const std::vector<CatalogBuilder::ColumnSpec>& columns) {
    builder_.AddTable(name, columns, {"id"});
    Grant(name);
  };
  add("app_issues", {{.name = "id"}, {.name = "site_id"}});
  add("app_notes", {{.name = "id"}, {.name = "user_id", .nullable = true}, {.name = "issueId"}});
  add("app_replies", {{.name = "id"}, {.name = "note_id"}});
  const StoreDiscovery discovery = Propose();
  EXPECT_THAT(Remarks(discovery, "app_notes"),
              ElementsAre(HasSubstr("proposed: owned through issueId -> app_issues")));
  EXPECT_THAT(Remarks(discovery, "app_replies"),
              ElementsAre(HasSubstr("proposed: owned through note_id -> app_notes")));
  EXPECT_EQ(discovery.map.FindByName("app_notes")->relation, Relation::kUnresolved)
      << "it is only proposed";
  EXPECT_THAT(discovery.config, HasSubstr("[[store.reference]]\ntable = \"app_notes\"\n"
                                          "columns = [\"issueId\"]\nparent = \"app_issues\"\n"
                                          "parent_columns = [\"id\"]\n"));
}

TEST_F(MapProposalsTest, WhatCouldBeSeveralTablesIsNotGuessed) {
  const auto add = [this](const std::string& name,
                          const std::vector<CatalogBuilder::ColumnSpec>& columns) {
    builder_.AddTable(name, columns, {"id"});
    Grant(name);
  };
  add("issue", {{.name = "id"}, {.name = "site_id"}});
  add("by_two_names", {{.name = "id"}, {.name = "issue_id"}});
  add("by_type", {{.name = "id"}, {.name = "user_id"}, {.name = "user_type", .type = "text"}});
  add("by_other_values", {{.name = "id"}, {.name = "user_id", .type = "uuid"}});
  add("job_locks", {{.name = "id"}, {.name = "user_id"}});
  const StoreDiscovery discovery = Propose();
  for (const char* const table : {"by_two_names", "by_type", "by_other_values"}) {
    EXPECT_THAT(Remarks(discovery, table), ElementsAre(HasSubstr("say whose its rows are")))
        << table;
  }
  EXPECT_THAT(Remarks(discovery, "by_type"),
              ElementsAre(HasSubstr("CASE t.\"user_type\" WHEN '…' THEN (SELECT … FROM … p WHERE "
                                    "p.id = t.\"user_id\") … END")));
  EXPECT_THAT(Remarks(discovery, "by_two_names"), ElementsAre(Not(HasSubstr("CASE"))));
  EXPECT_THAT(Remarks(discovery, "job_locks"), ElementsAre(HasSubstr("proposed: excluded")));
  EXPECT_THAT(discovery.config, Not(HasSubstr("reference")));
}

TEST_F(MapProposalsTest, WarnsOfWhatWouldStandInTheWayOfARestore) {
  PgTable& users = builder_.Table("users");
  users.key.clear();
  users.uniques.clear();
  users.row_security = true;
  users.privileges.select = false;
  EXPECT_THAT(Remarks(Propose(), "users"),
              ElementsAre("has no key", HasSubstr("BYPASSRLS"), HasSubstr("lacks SELECT")));
}

TEST_F(MapProposalsTest, WarnsOfKeysThatWereNeverChecked) {
  EXPECT_THAT(Remarks(Propose(), "issues"), IsEmpty());
  builder_.LastForeignKey().validated = false;
  const StoreDiscovery discovery = Propose();
  EXPECT_THAT(Remarks(discovery, "issues"),
              ElementsAre(AllOf(HasSubstr("issues_author_fkey is NOT VALID"), HasSubstr("users"))));
  EXPECT_THAT(Remarks(discovery, "users"), IsEmpty());
}

TEST_F(MapProposalsTest, RowsAreThePlannersEstimates) {
  builder_.Table("users").estimated_rows = 1234;
  const StoreDiscovery discovery = Propose();
  for (size_t i = 0; i < discovery.findings.size(); ++i) {
    EXPECT_EQ(discovery.findings[i].estimated_rows,
              discovery.map.tables[i].schema.name == "users" ? 1234 : -1);
  }
}

TEST_F(MapProposalsTest, LinesOfConfigurationQuoteHostileNames) {
  MapConfig config;
  config.tenant_table = "a\"\\\n[[store]]\x7f";
  config.references = {{.table = "x", .columns = {"y"}, .parent = "z", .parent_columns = {"w"}}};
  const std::string lines = ConfigLines(config);
  EXPECT_THAT(lines, HasSubstr(R"(tenant_table = "a\"\\\u000A[[store]]\u007F")"));
  EXPECT_THAT(lines, Not(HasSubstr("\n[[store]]")));
  EXPECT_THAT(lines, HasSubstr("[[store.reference]]\ntable = \"x\"\ncolumns = [\"y\"]\n"));
}

}  // namespace
}  // namespace reinstate
