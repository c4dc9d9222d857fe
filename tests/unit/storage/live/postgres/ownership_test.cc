#include "storage/live/postgres/ownership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/unit/storage/live/postgres/catalog_builder.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// A ticket tracker: sites own projects by name, issues by foreign key, comments through issues.
class OwnershipTest : public ::testing::Test {
 protected:
  OwnershipTest() {
    builder_.AddTable("sites", {{.name = "id"}, {.name = "name", .type = "text"}}, {"id"});
    config_.tenant_table = "sites";
    config_.tenant_columns = {"site_id"};
  }

  void AddProjects() {
    builder_.AddTable("projects", {{.name = "id"}, {.name = "site_id"}}, {"id"});
  }

  void AddChild(const std::string& name, const std::string& parent, bool nullable = false) {
    builder_.AddTable(
        name,
        {{.name = "id"}, {.name = "body", .type = "text"}, {.name = "p", .nullable = nullable}},
        {"id"});
    builder_.AddForeignKey(name, {"p"}, parent, {"id"});
  }

  const PgTablePlan& Plan(const std::string& table) {
    if (!map_.has_value()) {
      absl::StatusOr<PgTenantMap> made = PgTenantMap::Make(builder_.catalog(), config_);
      EXPECT_THAT(made, IsOk());
      map_ = *std::move(made);
    }
    return *map_->Find(std::to_string(builder_.Table(table).oid));
  }

  std::string OwnedBy(const std::string& table, const std::string& tenant) {
    const PgTablePlan& plan = Plan(table);
    return map_->OwnedBySql(plan, TenantId::FromStored(tenant));
  }

  std::string OwnerText(const std::string& table) {
    const PgTablePlan& plan = Plan(table);
    return map_->OwnerTextSql(plan);
  }

  std::string From(const std::string& table) {
    const PgTablePlan& plan = Plan(table);
    return map_->FromSql(plan);
  }

  std::vector<std::string> PathNames(const std::string& table) {
    std::vector<std::string> names;
    for (const PathStep& step : Plan(table).path) {
      names.push_back(map_->catalog().Find(step.parent)->name);
    }
    return names;
  }

  absl::Status MakeStatus() { return PgTenantMap::Make(builder_.catalog(), config_).status(); }

  CatalogBuilder builder_;
  MapConfig config_;
  std::optional<PgTenantMap> map_;
};

TEST_F(OwnershipTest, TheTenantTableIsOwnedByItsOwnKey) {
  EXPECT_EQ(Plan("sites").relation, Relation::kOwned);
  EXPECT_TRUE(Plan("sites").by_own_column());
  EXPECT_EQ(OwnedBy("sites", "7"), R"(t."id" = '7'::bigint)");
  EXPECT_EQ(Plan("sites").how, "the tenant table; its key id");
}

TEST_F(OwnershipTest, AColumnOwnsByItsName) {
  AddProjects();
  EXPECT_EQ(Plan("projects").relation, Relation::kOwned);
  EXPECT_EQ(Plan("projects").how, "column site_id");
  EXPECT_EQ(OwnedBy("projects", "7"), R"(t."site_id" = '7'::bigint)");
  EXPECT_EQ(OwnerText("projects"), R"((t."site_id")::bigint::text)");
  EXPECT_EQ(From("projects"), R"(ONLY "public"."projects" t)");
}

TEST_F(OwnershipTest, AColumnOwnsByAForeignKeyToTheTenantTable) {
  builder_.AddTable("users", {{.name = "id"}, {.name = "home"}}, {"id"});
  builder_.AddForeignKey("users", {"home"}, "sites", {"id"});
  EXPECT_EQ(Plan("users").how, "column home, foreign key users_home_fkey to sites");
  EXPECT_EQ(OwnedBy("users", "7"), R"(t."home" = '7'::bigint)");
}

TEST_F(OwnershipTest, AForeignKeyToTheTenantTableThatIsNotToItsIdOwnsThroughAPath) {
  builder_.AddUnique("sites", {"name"});
  builder_.AddTable("domains", {{.name = "id"}, {.name = "site_name", .type = "text"}}, {"id"});
  builder_.AddForeignKey("domains", {"site_name"}, "sites", {"name"});
  EXPECT_THAT(PathNames("domains"), ElementsAre("sites"));
  EXPECT_EQ(OwnedBy("domains", "7"), R"(p1."id" = '7'::bigint)");
}

// sites(id, account_no): a column site_id that refers to account_no is no site's id.
TEST_F(OwnershipTest, AColumnWhoseForeignKeyLeadsElsewhereIsNotTakenByItsName) {
  builder_.AddTable("sites2", {{.name = "id"}, {.name = "account_no"}}, {"id"});
  builder_.AddUnique("sites2", {"account_no"});
  builder_.AddTable("invoices", {{.name = "id"}, {.name = "site_id"}}, {"id"});
  builder_.AddForeignKey("invoices", {"site_id"}, "sites2", {"account_no"});
  config_.tenant_table = "sites2";
  EXPECT_THAT(PathNames("invoices"), ElementsAre("sites2"));
  EXPECT_EQ(OwnedBy("invoices", "7"), R"(p1."id" = '7'::bigint)");
  EXPECT_THAT(Plan("invoices").how,
              HasSubstr("not taken by its name: column site_id, which refers to account_no of "
                        "sites2"));
}

TEST_F(OwnershipTest, AColumnThatRefersToSomethingElseIsUnresolvedIfNoPathLeadsOn) {
  builder_.AddTable("places", {{.name = "id"}}, {"id"});
  builder_.AddTable("visits", {{.name = "id"}, {.name = "site_id"}}, {"id"});
  builder_.AddForeignKey("visits", {"site_id"}, "places", {"id"});
  EXPECT_EQ(Plan("visits").relation, Relation::kUnresolved);
  EXPECT_THAT(Plan("visits").how, HasSubstr("column site_id refers to id of places"));
}

TEST_F(OwnershipTest, ANamedColumnMayReferToTheTenantsIdStepByStep) {
  AddProjects();
  builder_.AddUnique("projects", {"site_id"});
  builder_.AddForeignKey("projects", {"site_id"}, "sites", {"id"});
  builder_.AddTable("settings", {{.name = "id"}, {.name = "site_id"}}, {"id"});
  builder_.AddForeignKey("settings", {"site_id"}, "projects", {"site_id"});
  EXPECT_EQ(Plan("settings").how, "column site_id");
}

TEST_F(OwnershipTest, WithoutATenantTableNamedColumnsThatReferToDifferentThingsAreUnresolved) {
  config_ = {.tenant_columns = {"site_id"}};
  AddProjects();
  builder_.AddForeignKey("projects", {"site_id"}, "sites", {"id"});
  builder_.AddTable("plain", {{.name = "id"}, {.name = "site_id"}}, {"id"});
  EXPECT_EQ(Plan("projects").how, "column site_id") << "all of them refer to the same";
  map_.reset();
  builder_.AddUnique("sites", {"name"});
  builder_.AddTable("domains", {{.name = "id"}, {.name = "site_id", .type = "text"}}, {"id"});
  builder_.AddForeignKey("domains", {"site_id"}, "sites", {"name"});
  EXPECT_EQ(Plan("plain").how, "column site_id");
  for (const char* const table : {"projects", "domains"}) {
    EXPECT_EQ(Plan(table).relation, Relation::kUnresolved) << table;
    EXPECT_THAT(Plan(table).how, HasSubstr("say tenant_table")) << table;
  }
}

TEST_F(OwnershipTest, OfSeveralColumnsTheNamedThenTheNotNullOneIsTakenAndTheOthersAreNamed) {
  builder_.AddTable("transfers",
                    {{.name = "id"}, {.name = "to_site"}, {.name = "site_id", .nullable = true}},
                    {"id"});
  builder_.AddForeignKey("transfers", {"to_site"}, "sites", {"id"});
  builder_.AddTable("links", {{.name = "id"}, {.name = "a", .nullable = true}, {.name = "b"}},
                    {"id"});
  builder_.AddForeignKey("links", {"a"}, "sites", {"id"});
  builder_.AddForeignKey("links", {"b"}, "sites", {"id"});
  EXPECT_EQ(Plan("transfers").how, "column site_id; not taken: column to_site");
  EXPECT_EQ(Plan("links").how, "column b, foreign key links_b_fkey to sites; not taken: column a");
}

TEST_F(OwnershipTest, APathOfForeignKeysLeadsToTheOwner) {
  AddProjects();
  AddChild("issues", "projects");
  AddChild("comments", "issues");
  EXPECT_THAT(PathNames("comments"), ElementsAre("issues", "projects"));
  EXPECT_EQ(From("comments"),
            R"(ONLY "public"."comments" t LEFT JOIN ONLY "public"."issues" p1 ON p1."id" = t."p")"
            R"( LEFT JOIN ONLY "public"."projects" p2 ON p2."id" = p1."p")");
  EXPECT_EQ(OwnedBy("comments", "7"), R"(p2."site_id" = '7'::bigint)");
  EXPECT_EQ(Plan("comments").how, "through (p) -> issues (p) -> projects by its column site_id");
}

TEST_F(OwnershipTest, ChildrenComeBeforeTheirParentsInTheMap) {
  AddProjects();
  AddChild("issues", "projects");
  AddChild("a_comments", "issues");
  Plan("sites");
  std::vector<std::string> names;
  for (const MappedTable& table : map_->ToTenantMap().tables) {
    names.push_back(table.schema.name);
  }
  EXPECT_THAT(names, ElementsAre("a_comments", "issues", "sites", "projects"));
}

TEST_F(OwnershipTest, APathJoinsOnAllColumnsOfACompositeKey) {
  builder_.AddTable("boards", {{.name = "site_id"}, {.name = "n"}}, {"site_id", "n"});
  builder_.AddTable(
      "cards", {{.name = "id"}, {.name = "bs", .nullable = true}, {.name = "bn", .nullable = true}},
      {"id"});
  builder_.AddForeignKey("cards", {"bs", "bn"}, "boards", {"site_id", "n"});
  EXPECT_THAT(From("cards"), HasSubstr(R"(ON p1."site_id" = t."bs" AND p1."n" = t."bn")"));
}

TEST_F(OwnershipTest, AnEnforcedCompositeKeyMakesItsColumnTheOwner) {
  builder_.AddTable("boards", {{.name = "site_id"}, {.name = "n"}}, {"site_id", "n"});
  builder_.AddTable("cards", {{.name = "id"}, {.name = "bs"}, {.name = "bn"}}, {"id"});
  builder_.AddForeignKey("cards", {"bs", "bn"}, "boards", {"site_id", "n"});
  EXPECT_TRUE(Plan("cards").by_own_column());
  EXPECT_EQ(OwnedBy("cards", "7"), R"(t."bs" = '7'::bigint)");
}

TEST_F(OwnershipTest, ACompositeKeyThatIsNotValidatedIsFollowedAsAPath) {
  builder_.AddTable("boards", {{.name = "site_id"}, {.name = "n"}}, {"site_id", "n"});
  builder_.AddTable("cards", {{.name = "id"}, {.name = "bs"}, {.name = "bn"}}, {"id"});
  builder_.AddForeignKey("cards", {"bs", "bn"}, "boards", {"site_id", "n"});
  builder_.LastForeignKey().validated = false;
  EXPECT_THAT(PathNames("cards"), ElementsAre("boards"));
}

TEST_F(OwnershipTest, ALongerPathThatIsNeverNullIsTakenBeforeAShorterOneThatCanBe) {
  AddProjects();
  AddChild("issues", "projects");
  builder_.AddTable(
      "votes", {{.name = "id"}, {.name = "project", .nullable = true}, {.name = "issue"}}, {"id"});
  builder_.AddForeignKey("votes", {"project"}, "projects", {"id"});
  builder_.AddForeignKey("votes", {"issue"}, "issues", {"id"});
  EXPECT_THAT(PathNames("votes"), ElementsAre("issues", "projects"));
  EXPECT_THAT(Plan("votes").how, HasSubstr("; not taken: (project) -> projects"));
}

TEST_F(OwnershipTest, OfEquallySurePathsTheShortestIsTaken) {
  AddProjects();
  AddChild("issues", "projects");
  builder_.AddTable("votes", {{.name = "id"}, {.name = "issue"}, {.name = "project"}}, {"id"});
  builder_.AddForeignKey("votes", {"issue"}, "issues", {"id"});
  builder_.AddForeignKey("votes", {"project"}, "projects", {"id"});
  EXPECT_THAT(PathNames("votes"), ElementsAre("projects"));
  EXPECT_THAT(Plan("votes").how, HasSubstr("; not taken: (issue) -> issues"));
}

TEST_F(OwnershipTest, CyclesAndSelfReferencesEnd) {
  AddProjects();
  AddChild("issues", "projects");
  builder_.Table("projects")
      .columns.push_back({.number = 3,
                          .name = "lead_issue",
                          .type = "bigint",
                          .cast_type = "bigint",
                          .type_class = PgTypeClass::kInteger});
  builder_.AddForeignKey("projects", {"lead_issue"}, "issues", {"id"});
  builder_.AddForeignKey("issues", {"id"}, "issues", {"id"});
  EXPECT_EQ(Plan("projects").how, "column site_id");
  EXPECT_THAT(PathNames("issues"), ElementsAre("projects"));
  EXPECT_THAT(Plan("issues").how, Not(HasSubstr("not taken")));
}

TEST_F(OwnershipTest, ACycleThatLeadsNowhereIsUnresolved) {
  builder_.AddTable("a", {{.name = "id"}, {.name = "b"}}, {"id"});
  builder_.AddTable("b", {{.name = "id"}, {.name = "a"}}, {"id"});
  builder_.AddForeignKey("a", {"b"}, "b", {"id"});
  builder_.AddForeignKey("b", {"a"}, "a", {"id"});
  EXPECT_EQ(Plan("a").relation, Relation::kUnresolved);
  EXPECT_EQ(Plan("b").relation, Relation::kUnresolved);
  EXPECT_EQ(OwnerText("a"), "NULL::text");
  EXPECT_EQ(OwnedBy("a", "7"), "false");
}

TEST_F(OwnershipTest, NoPathLeadsThroughSharedOrExcludedTables) {
  AddProjects();
  AddChild("issues", "projects");
  AddChild("comments", "issues");
  config_.excluded = {{"issues", "they are kept elsewhere"}};
  EXPECT_EQ(Plan("issues").relation, Relation::kExcluded);
  EXPECT_EQ(Plan("issues").how, "they are kept elsewhere");
  EXPECT_EQ(Plan("comments").relation, Relation::kUnresolved);
}

TEST_F(OwnershipTest, ASharedTableStaysSharedThoughItHasATenantColumn) {
  AddProjects();
  config_.shared = {"projects"};
  EXPECT_EQ(Plan("projects").relation, Relation::kShared);
}

TEST_F(OwnershipTest, PartitionedTablesAreReadAtTheRootAndByLeaf) {
  AddProjects();
  PgTable& projects = builder_.Table("projects");
  projects.kind = 'p';
  projects.heaps = {{.oid = 900, .schema = "parts", .name = "projects_1"}};
  EXPECT_EQ(From("projects"), R"("public"."projects" t)");
  const PgTablePlan& plan = Plan("projects");
  EXPECT_EQ(map_->FromSql(plan, &map_->Table(plan).heaps[0]), R"(ONLY "parts"."projects_1" t)");
}

TEST_F(OwnershipTest, AKeyToOnePartitionLeadsToItsRootOnlyWhereItsColumnsAreUniqueThere) {
  AddProjects();
  PgTable& projects = builder_.Table("projects");
  projects.kind = 'p';
  projects.heaps = {{.oid = 900, .schema = "public", .name = "projects_1"}};
  AddChild("issues", "projects");
  builder_.LastForeignKey().parent = 900;
  AddChild("wikis", "projects");
  builder_.LastForeignKey().parent = 900;
  builder_.LastForeignKey().parent_columns = {2};
  EXPECT_THAT(PathNames("issues"), ElementsAre("projects"));
  EXPECT_EQ(Plan("wikis").relation, Relation::kUnresolved);
}

TEST_F(OwnershipTest, AKeyOfOnePartitionOnlyIsNoPathOfTheWholeTable) {
  AddProjects();
  AddChild("issues", "projects");
  builder_.LastForeignKey().child_heap = 900;
  EXPECT_EQ(Plan("issues").relation, Relation::kUnresolved);
}

TEST_F(OwnershipTest, ReferencesOfTheConfigurationReplaceForeignKeysAndNames) {
  AddProjects();
  builder_.AddTable("files", {{.name = "id"}, {.name = "site_id"}, {.name = "project"}}, {"id"});
  builder_.AddForeignKey("files", {"site_id"}, "sites", {"id"});
  config_.references = {
      {.table = "files", .columns = {"project"}, .parent = "projects", .parent_columns = {"id"}}};
  EXPECT_THAT(PathNames("files"), ElementsAre("projects"));
  EXPECT_EQ(OwnedBy("files", "7"), R"(p1."site_id" = '7'::bigint)");
}

TEST_F(OwnershipTest, AnExpressionOwnsAndIsComparedAsTheTenantsType) {
  builder_.AddTable("blobs", {{.name = "path", .type = "text"}}, {"path"});
  config_.owner_expressions = {{"blobs", "split_part(t.path, '/', 1)"}};
  EXPECT_EQ(Plan("blobs").how, "by the expression split_part(t.path, '/', 1)");
  EXPECT_EQ(OwnedBy("blobs", "7"), R"(((split_part(t.path, '/', 1)))::text::bigint = '7'::bigint)");
}

TEST_F(OwnershipTest, APathToAnExpressionGivesItTheRowAtItsEnd) {
  builder_.AddTable("blobs", {{.name = "id"}, {.name = "path", .type = "text"}}, {"id"});
  AddChild("thumbnails", "blobs");
  config_.owner_expressions = {{"blobs", "coalesce(t.path, '1')"}};
  EXPECT_THAT(OwnerText("thumbnails"),
              HasSubstr("(SELECT (coalesce(t.path, '1')) FROM (SELECT p1.*) AS t WHERE "
                        "p1.tableoid IS NOT NULL)"));
}

TEST_F(OwnershipTest, IdsOfAnotherTypeAreNormalisedThroughThatOfTheTenantTable) {
  builder_.AddTable("logs", {{.name = "id"}, {.name = "site_id", .type = "text"}}, {"id"});
  EXPECT_EQ(OwnerText("logs"), R"((t."site_id")::text::bigint::text)");
  EXPECT_EQ(OwnedBy("logs", "7"), R"((t."site_id")::text::bigint = '7'::bigint)");
}

TEST_F(OwnershipTest, WithoutATenantTableTheTypeIsThatOfMostTenantColumns) {
  config_.tenant_table = "";
  builder_.AddTable("a", {{.name = "id"}, {.name = "site_id", .type = "text"}}, {"id"});
  builder_.AddTable("b", {{.name = "id"}, {.name = "site_id", .type = "uuid"}}, {"id"});
  builder_.AddTable("c", {{.name = "id"}, {.name = "site_id", .type = "uuid"}}, {"id"});
  EXPECT_EQ(OwnedBy("c", "x"), R"(t."site_id" = 'x'::uuid)");
  EXPECT_EQ(OwnedBy("a", "x"), R"((t."site_id")::text::uuid = 'x'::uuid)");
}

TEST_F(OwnershipTest, OneEnumIsNotComparedWithAnother) {
  builder_.Table("sites").columns[0].type = "region";
  builder_.Table("sites").columns[0].cast_type = "region";
  builder_.Table("sites").columns[0].type_class = PgTypeClass::kEnum;
  builder_.AddTable("a", {{.name = "id"}, {.name = "site_id", .type = "plan_level"}}, {"id"});
  EXPECT_EQ(OwnedBy("sites", "eu"), R"(t."id" = 'eu'::region)");
  EXPECT_EQ(OwnedBy("a", "eu"), R"((t."site_id")::text::region = 'eu'::region)");
}

TEST_F(OwnershipTest, ATenantColumnThatIsNotComparedByItsTextIsUnresolved) {
  builder_.AddTable("logs", {{.name = "id"}, {.name = "site_id", .type = "citext"}}, {"id"});
  EXPECT_EQ(Plan("logs").relation, Relation::kUnresolved);
  EXPECT_THAT(Plan("logs").how, HasSubstr("site_id has the type citext"));
}

TEST_F(OwnershipTest, ForeignTablesAndExtensionsAreExcludedByThemselves) {
  builder_.AddTable("remote_things", {{.name = "id"}}, {});
  builder_.Table("remote_things").kind = 'f';
  builder_.AddTable("spatial_ref_sys", {{.name = "id"}}, {"id"});
  builder_.Table("spatial_ref_sys").extension = "postgis";
  EXPECT_EQ(Plan("remote_things").relation, Relation::kExcluded);
  EXPECT_EQ(Plan("spatial_ref_sys").how, "belongs to the extension postgis");
}

TEST_F(OwnershipTest, HostileNamesAndIdsStayOneToken) {
  builder_.AddTable(R"(x"; DROP TABLE sites; --)", {{.name = R"(a" OR "1)"}, {.name = "site_id"}},
                    {R"(a" OR "1)"});
  const std::string name = R"(x"; DROP TABLE sites; --)";
  EXPECT_EQ(From(name), R"(ONLY "public"."x""; DROP TABLE sites; --" t)");
  EXPECT_EQ(map_->PayloadColumnsSql(Plan(name)), R"(t."a"" OR ""1", t."site_id")");
  EXPECT_EQ(OwnedBy(name, "1' OR '1'='1"), R"(t."site_id" = '1'' OR ''1''=''1'::bigint)");
}

TEST_F(OwnershipTest, GeneratedColumnsAreInNoPayloadAndTheKeyIsFoundAmongTheRest) {
  builder_.AddTable("lines",
                    {{.name = "total", .generated = true}, {.name = "site_id"}, {.name = "n"}},
                    {"n", "site_id"});
  const PgTablePlan& plan = Plan("lines");
  const RowLayout layout = map_->Layout(plan);
  EXPECT_EQ(layout.columns, 2);
  EXPECT_THAT(layout.key, ElementsAre(1, 0));
  EXPECT_EQ(map_->ColumnListSql(plan), R"("site_id", "n")");
  EXPECT_EQ(map_->RowSelect(plan, "true", /*ordered=*/true),
            R"(SELECT t."site_id", t."n" FROM ONLY "public"."lines" t WHERE true )"
            R"(ORDER BY t."n"::text COLLATE "C", t."site_id"::text COLLATE "C")");
}

TEST_F(OwnershipTest, RowsWithoutAKeyAreReadWithTheirHashAndOrdinal) {
  builder_.AddTable("tags", {{.name = "site_id"}, {.name = "tag", .type = "text"}}, {});
  const PgTablePlan& plan = Plan("tags");
  EXPECT_THAT(map_->Layout(plan).key, IsEmpty());
  EXPECT_THAT(map_->CutSelect(plan, nullptr, ""),
              HasSubstr(R"(sha256(convert_to(ROW(t."site_id", t."tag")::text, 'UTF8')))"));
  EXPECT_THAT(map_->RowSelect(plan, "true", true), HasSubstr("ORDER BY 1, 2"));
}

TEST_F(OwnershipTest, ACutLeavesOwnersAsTheyAreWhereCopyWritesTheirText) {
  AddProjects();
  const PgTablePlan& plan = Plan("projects");
  EXPECT_THAT(map_->CutSelect(plan, nullptr, ""), StartsWith(R"(SELECT (t."site_id")::bigint, )"));
}

TEST_F(OwnershipTest, ACutCastsOwnersToTextWhereCopyMayWriteSomethingElse) {
  AddProjects();
  for (PgColumn* const column :
       {&builder_.Table("sites").columns[0], &builder_.Table("projects").columns[1]}) {
    column->type = column->cast_type = "region";
    column->type_class = PgTypeClass::kEnum;
  }
  const PgTablePlan& plan = Plan("projects");
  EXPECT_THAT(map_->CutSelect(plan, nullptr, ""),
              StartsWith(R"(SELECT (t."site_id")::region::text, )"));
}

TEST_F(OwnershipTest, TheConfigurationIsRefusedWithEverythingThatIsWrong) {
  AddProjects();
  config_.shared = {"nowhere", "projects"};
  config_.excluded = {{"projects", "it is also shared"}};
  config_.label_columns = {"title"};
  config_.references = {
      {.table = "projects", .columns = {"id"}, .parent = "sites", .parent_columns = {"name"}}};
  const absl::Status status = MakeStatus();
  EXPECT_THAT(status, FailsWith(Reason::kConfigInvalid));
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("There is no table nowhere"));
  EXPECT_THAT(message, HasSubstr("projects is already in shared"));
  EXPECT_THAT(message, HasSubstr("sites has no column title"));
  EXPECT_THAT(message, HasSubstr("name of sites are not unique"));
}

TEST_F(OwnershipTest, TheTenantKeyHasToBeOneUniqueColumnComparedByItsText) {
  builder_.AddTable("pairs", {{.name = "a"}, {.name = "b", .type = "numeric"}}, {"a", "b"});
  config_.tenant_table = "pairs";
  EXPECT_THAT(std::string(MakeStatus().message()), HasSubstr("is not one column"));
  config_.tenant_key = "b";
  EXPECT_THAT(std::string(MakeStatus().message()), HasSubstr("b of pairs is not unique"));
  EXPECT_THAT(std::string(MakeStatus().message()), HasSubstr("has the type numeric"));
}

TEST_F(OwnershipTest, DeclaredOwnerlessTablesAreMarked) {
  AddProjects();
  config_.ownerless = {"public.projects"};
  EXPECT_TRUE(Plan("projects").ownerless_declared);
  EXPECT_FALSE(Plan("sites").ownerless_declared);
}

}  // namespace
}  // namespace reinstate
