// What a session reads and changes, as long as nobody else is at the tenant.

#include <string>
#include <vector>

#include "tests/conformance/live_store_test.h"

namespace reinstate {
namespace {

using testing::ElementsAre;

const TenantId kAcme = Tenant("acme");
const TenantId kOther = Tenant("other");

class SessionTest : public LiveStoreTest {};
INSTANTIATE_TEST_SUITE_P(Adapters, SessionTest, testing::ValuesIn(AllAdapters()), AdapterName);

TEST_P(SessionTest, HasTheCapabilitiesThatArePinned) {
  EXPECT_EQ(live()->Capabilities().resolves_tokens, GetParam().capabilities.resolves_tokens);
  EXPECT_EQ(live()->Capabilities().keys_span_tenants, GetParam().capabilities.keys_span_tenants);
}

TEST_P(SessionTest, ListsATableOnceItWasWrittenTo) {
  Put(kAcme, "issue", "1", "one");
  Erase(kAcme, "never_written", "1");
  const absl::StatusOr<TenantMap> map = live()->Catalog();
  ASSERT_THAT(map, IsOk());
  ASSERT_NE(map->FindByName("issue"), nullptr);
  EXPECT_EQ(map->FindByName("issue")->relation, Relation::kOwned);
  EXPECT_EQ(map->FindByName("never_written"), nullptr);
}

TEST_P(SessionTest, TellsTwoStoresApartAndItselfTheSame) {
  const TempDir folder;
  const auto second = GetParam().open({.folder = folder.path(), .faults = &faults_});
  ASSERT_THAT(second, IsOk());
  EXPECT_NE(live()->Identity()->id, (*second)->live()->Identity()->id);
  EXPECT_EQ(live()->Identity()->id, live()->Identity()->id);
  EXPECT_FALSE(live()->Identity()->address.empty());
}

TEST_P(SessionTest, ReadsWhatWasThereAtItsBeginningAndNothingLater) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  Put(kAcme, "issue", "1", "one, changed");
  Put(kAcme, "issue", "2", "two");
  EXPECT_EQ(Read(session.get(), "issue"), (Rows{{"1", "one"}}));
}

TEST_P(SessionTest, ReadsTheSameRowsWhereTheirOrderDoesNotMatter) {
  Put(kOther, "issue", "7", "not ours");
  Put(kAcme, "issue", "1", "one");
  Put(kAcme, "issue", "2", "two");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Replace("issue", "1", "one", "uno"), Insert("issue", "3", "three")});
  const auto stream = session->ReadTableUnordered("issue");
  ASSERT_THAT(stream, IsOk());
  Record record;
  Rows rows;
  int read = 0;
  while (*(*stream)->Next(&record)) {
    rows[record.key.bytes()] = record.payload;
    ++read;
  }
  EXPECT_EQ(rows, (Rows{{"1", "uno"}, {"2", "two"}, {"3", "three"}}));
  EXPECT_EQ(read, 3);
}

TEST_P(SessionTest, SeesTheTablesThatTheStoreHas) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  const absl::StatusOr<TenantMap> seen = CatalogOf(live(), session.get());
  ASSERT_THAT(seen, IsOk());
  const TenantMap now = *live()->Catalog();
  ASSERT_EQ(seen->tables.size(), now.tables.size());
  for (size_t i = 0; i < now.tables.size(); ++i) {
    EXPECT_EQ(seen->tables[i].schema, now.tables[i].schema);
    EXPECT_EQ(seen->tables[i].relation, now.tables[i].relation);
    EXPECT_EQ(seen->tables[i].write_refusal, now.tables[i].write_refusal);
    EXPECT_EQ(seen->tables[i].replace_refusal, now.tables[i].replace_refusal);
  }
}

TEST_P(SessionTest, ReadsItsOwnChanges) {
  Put(kAcme, "issue", "1", "one");
  Put(kAcme, "issue", "2", "two");
  Put(kAcme, "issue", "5", "five");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Delete("issue", "2", "two"), Replace("issue", "1", "one", "uno"),
                        Insert("issue", "3", "three"), Insert("issue", "9", "nine")});
  const Rows expected{{"1", "uno"}, {"3", "three"}, {"5", "five"}, {"9", "nine"}};
  EXPECT_EQ(Read(session.get(), "issue"), expected);
  ASSERT_THAT(session->Seal(), IsOk());
  EXPECT_EQ(Read(session.get(), "issue"), expected) << "and once sealed";
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}, {"2", "two"}, {"5", "five"}}))
      << "nobody else sees them";
}

TEST_P(SessionTest, MakesAllChangesVisibleAtCommit) {
  Put(kAcme, "issue", "1", "one");
  Put(kAcme, "issue", "2", "two");
  Put(kAcme, "comment", "1", "kept");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Delete("issue", "2", "two"), Replace("issue", "1", "one", ""),
                        Insert("issue", "3", "three")});
  EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", ""}, {"3", "three"}}));
  EXPECT_EQ(Live(kAcme, "comment"), (Rows{{"1", "kept"}}));
}

TEST_P(SessionTest, RestoresATenantThatHasNothing) {
  Put(kOther, "issue", "x", "so that the table exists");
  auto session = Transaction(kAcme);
  EXPECT_EQ(Read(session.get(), "issue"), Rows());
  Apply(session.get(), {Insert("issue", "1", "one"), Insert("issue", "2", "two")});
  EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}, {"2", "two"}}));
  EXPECT_EQ(Live(kOther, "issue"), (Rows{{"x", "so that the table exists"}}));
}

TEST_P(SessionTest, CommitsNoChangesAtAll) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}}));
}

TEST_P(SessionTest, LeavesNothingBehindAfterARollback) {
  Put(kAcme, "issue", "1", "one");
  const StoreContents before = Everything();
  auto session = Transaction(kAcme);
  Apply(session.get(), {Replace("issue", "1", "one", "uno"), Insert("issue", "2", "two")});
  ASSERT_THAT(session->Seal(), IsOk());
  EXPECT_THAT(session->Rollback(), IsOk());
  EXPECT_EQ(Everything(), before);
  EXPECT_THAT(session->Rollback(), IsOk()) << "when there is no transaction any more";

  Put(kAcme, "issue", "4", "four");
  ASSERT_THAT(session->Begin(), IsOk());
  EXPECT_EQ(Read(session.get(), "issue"), (Rows{{"1", "one"}, {"4", "four"}}))
      << "the next transaction has a view of its own";
  Apply(session.get(), {Insert("issue", "2", "two")});
  EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}, {"2", "two"}, {"4", "four"}}));
}

TEST_P(SessionTest, LeavesNothingBehindWhenItIsAbandoned) {
  Put(kAcme, "issue", "1", "one");
  const StoreContents before = Everything();
  {
    auto session = Transaction(kAcme);
    Apply(session.get(), {Replace("issue", "1", "one", "uno"), Insert("issue", "2", "two")});
  }
  EXPECT_EQ(Everything(), before);
}

TEST_P(SessionTest, RefusesAChangeOfARowThatIsNotAsTheChangeSays) {
  Put(kAcme, "issue", "1", "one");
  const std::vector<Change> wrong = {
      Insert("issue", "1", "again"),           Replace("issue", "1", "another", "x"),
      Replace("issue", "2", "is absent", "x"), Delete("issue", "1", "another"),
      Delete("issue", "2", "is absent"),
  };
  for (const Change& change : wrong) {
    auto session = Transaction(kAcme);
    absl::Status status = session->Apply(change);
    if (status.ok()) {
      status = SealAndCommit(session.get());
    }
    EXPECT_THAT(status, FailsWith(Reason::kLiveChanged));
  }
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}}));
}

TEST_P(SessionTest, AllowsNothingButARollbackAfterAnError) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  ASSERT_THAT(session->ReadTable("no_such_table"), FailsWith(Reason::kTableNotFound));
  EXPECT_FALSE(session->Seal().ok());
  EXPECT_FALSE(session->Commit(Soon()).ok());
  EXPECT_THAT(session->Rollback(), IsOk());
  EXPECT_THAT(session->Begin(), IsOk());
}

TEST_P(SessionTest, KnowsNoTableThatDoesNotExist) {
  Put(kAcme, "issue", "1", "one");
  const std::vector<RowKey> keys = {RowKey("1")};
  EXPECT_THAT(Transaction(kAcme)->ReadTable("nope"), FailsWith(Reason::kTableNotFound));
  EXPECT_THAT(Transaction(kAcme)->LookUp("nope", keys), FailsWith(Reason::kTableNotFound));
  auto session = Transaction(kAcme);
  absl::Status status = session->Apply(Insert("nope", "1", "x"));
  if (status.ok()) {
    status = session->Seal().status();
  }
  EXPECT_THAT(status, FailsWith(Reason::kTableNotFound));
}

TEST_P(SessionTest, LooksUpKeysInTheirOrderWithItsOwnChanges) {
  Put(kAcme, "issue", "1", "one");
  Put(kAcme, "issue", "2", "two");
  auto session = Transaction(kAcme);
  Put(kAcme, "issue", "4", "later");
  Apply(session.get(), {Delete("issue", "2", "two"), Insert("issue", "3", "three")});
  const std::vector<RowKey> keys = {RowKey("3"), RowKey("1"), RowKey("2"), RowKey("4"),
                                    RowKey("1")};
  const auto states = session->LookUp("issue", keys);
  ASSERT_THAT(states, IsOk());
  ASSERT_EQ(states->size(), keys.size());
  std::vector<std::string> found;
  for (const KeyState& state : *states) {
    EXPECT_EQ(state.owner, state.payload ? KeyOwner::kThisTenant : KeyOwner::kNobody);
    found.push_back(state.payload.value_or("(nobody)"));
  }
  EXPECT_THAT(found, ElementsAre("three", "one", "(nobody)", "(nobody)", "one"));
}

TEST_P(SessionTest, FailsAfterACancelAndRollsBack) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Insert("issue", "2", "two")});
  session->Cancel();
  EXPECT_THAT(session->Apply(Insert("issue", "3", "three")), FailsWith(Reason::kCancelled));
  EXPECT_THAT(session->Seal(), FailsWith(Reason::kCancelled));
  EXPECT_THAT(session->Commit(Soon()), FailsWith(Reason::kCancelled));
  EXPECT_THAT(session->Rollback(), IsOk());
  session = nullptr;
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}}));
}

TEST_P(SessionTest, EndsAStreamWithAnErrorAfterACancelAndNeverEarly) {
  for (int i = 0; i < 3000; ++i) {
    Put(kAcme, "issue", std::to_string(i), "payload");
  }
  auto session = Transaction(kAcme);
  auto stream = session->ReadTable("issue");
  ASSERT_THAT(stream, IsOk());
  Record record;
  ASSERT_THAT((*stream)->Next(&record), IsOk());
  session->Cancel();
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) {
    more = (*stream)->Next(&record);
  }
  EXPECT_THAT(more, FailsWith(Reason::kCancelled));
  EXPECT_THAT((*stream)->Next(&record), FailsWith(Reason::kCancelled)) << "and again";
}

TEST_P(SessionTest, DoesNotCommitPastTheDeadline) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Insert("issue", "2", "two")});
  const auto token = session->Seal();
  ASSERT_THAT(token, IsOk());
  EXPECT_THAT(session->Commit(clock_.Now() - absl::Seconds(1)),
              FailsWith(Reason::kDeadlineExceeded));
  session = nullptr;
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}}));
}

TEST_P(SessionTest, AppliesAChangeOfAnySizeAtOnce) {
  Rows expected;
  for (int i = 0; i < 4000; ++i) {
    const std::string key = std::to_string(100000 + i);
    Put(kAcme, "issue", key, "old " + key);
  }
  auto session = Transaction(kAcme);
  std::vector<Change> deletions;
  std::vector<Change> replacements;
  std::vector<Change> insertions;
  for (int i = 0; i < 4000; ++i) {
    const std::string key = std::to_string(100000 + i);
    const std::string before = "old " + key;
    const std::string after(100, static_cast<char>('a' + (i % 26)));
    switch (i % 4) {
      case 0:
        deletions.push_back(Delete("issue", key, before));
        break;
      case 1:
        replacements.push_back(Replace("issue", key, before, after));
        expected[key] = after;
        break;
      case 2:
        insertions.push_back(Insert("issue", key + "+", after));
        expected[key + "+"] = after;
        expected[key] = before;
        break;
      default:
        expected[key] = before;
    }
  }
  Apply(session.get(), deletions);
  Apply(session.get(), replacements);
  Apply(session.get(), insertions);
  EXPECT_EQ(Read(session.get(), "issue"), expected);
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(Live(kAcme, "issue"), expected);

  ASSERT_THAT(session->Begin(), IsOk());
  EXPECT_EQ(Read(session.get(), "issue"), expected) << "in a transaction after it";
}

TEST_P(SessionTest, EstimatesATenantWithinAFactor) {
  for (int i = 0; i < 2000; ++i) {
    Put(kAcme, "issue", std::to_string(100000 + i), std::string(100, 'x'));
    Put(kOther, "issue", "o" + std::to_string(100000 + i), std::string(100, 'x'));
  }
  const auto acme = live()->EstimateTenant(kAcme);
  ASSERT_THAT(acme, IsOk());
  EXPECT_GT(acme->rows, 500);
  EXPECT_LT(acme->rows, 8000);
  EXPECT_GT(acme->bytes, 50000);
  EXPECT_LT(acme->bytes, 800000);
  const auto nobody = live()->EstimateTenant(Tenant("nobody"));
  ASSERT_THAT(nobody, IsOk());
  EXPECT_EQ(nobody->rows, 0);
}

TEST_P(SessionTest, SaysThatItTakesWrites) { EXPECT_TRUE(live()->ProbeHealth().writable); }

// Keys and payloads of bytes that an encoding could trip over.
class AnyBytesTest : public LiveStoreTest {};
INSTANTIATE_TEST_SUITE_P(Adapters, AnyBytesTest,
                         testing::ValuesIn(AdaptersThat([](const Adapter& adapter) {
                           return adapter.any_bytes;
                         })),
                         AdapterName);

TEST_P(AnyBytesTest, KeepsKeysAndPayloadsByteForByteAndInOrder) {
  using std::string_literals::operator""s;
  const std::vector<std::string> keys = {""s,      "\x00"s, "\x00\x00"s, "\x00\x01"s,  "\x00\xff"s,
                                         "\x01"s,  "a"s,    "a\x00"s,    "a\x00\x01"s, "a\x00\xff"s,
                                         "a\x01"s, "ab"s,   "\xff"s,     "\xff\xff"s};
  Put(kAcme, "comment", "z", "of the table before");
  Put(kAcme, "issue!", "", "of the table after");
  Rows expected;
  for (size_t i = 0; i < keys.size(); i += 2) {
    expected[keys[i]] = "\x00\xff payload "s + keys[i];
    Put(kAcme, "issue", keys[i], expected[keys[i]]);
  }
  auto session = Transaction(kAcme);
  EXPECT_EQ(Read(session.get(), "issue"), expected);
  for (size_t i = 1; i < keys.size(); i += 2) {
    expected[keys[i]] = i % 4 == 1 ? ""s : "\x00"s;
    ASSERT_THAT(session->Apply(Insert("issue", keys[i], expected[keys[i]])), IsOk());
  }
  EXPECT_EQ(Read(session.get(), "issue"), expected);
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(Live(kAcme, "issue"), expected);
  for (const auto& [key, payload] : expected) {
    const auto got = application()->Get(kAcme, "issue", RowKey(key));
    ASSERT_THAT(got, IsOk());
    EXPECT_EQ(*got, payload);
  }
  EXPECT_EQ(Everything().size(), expected.size() + 2);
}

// Tenants whose ids an encoding or a statement could confuse.
class ContainmentTest : public LiveStoreTest {
 protected:
  std::vector<TenantId> HostileTenants() {
    std::vector<TenantId> tenants;
    for (const std::string& text :
         {std::string("a"), std::string("a\x01"), std::string("a\x01\x01"), std::string("ab"),
          std::string("a'; DROP TABLE issue; --"), std::string("a\" OR 1=1"), std::string("a%"),
          std::string("a_"), std::string("a/../b"), std::string("a\n"), std::string("\xc3\xa9"),
          std::string("A"), std::string(" a"), std::string("a "), std::string(1023, 'a'),
          std::string(1024, 'a'), std::string(1023, 'a') + "b"}) {
      tenants.push_back(*TenantId::Parse(text));
    }
    return tenants;
  }
};
INSTANTIATE_TEST_SUITE_P(Adapters, ContainmentTest, testing::ValuesIn(AllAdapters()), AdapterName);

TEST_P(ContainmentTest, ChangesNoOtherTenantWhateverTheirIds) {
  const std::vector<TenantId> tenants = HostileTenants();
  StoreContents expected;
  int number = 0;
  for (const TenantId& tenant : tenants) {
    for (const std::string table : {"issue", "tenant"}) {
      const std::string key = "k" + std::to_string(number++);
      Put(tenant, table, key, "of " + tenant.value());
      expected[{tenant.value(), table, key}] = "of " + tenant.value();
    }
  }
  ASSERT_EQ(Everything(), expected);
  for (const TenantId& tenant : tenants) {
    auto session = Transaction(tenant);
    const Rows issues = Read(session.get(), "issue");
    ASSERT_EQ(issues.size(), 1) << "it reads its own row and nothing else";
    const auto& [key, payload] = *issues.begin();
    const std::string inserted = "i" + std::to_string(number++);
    Apply(session.get(), {Delete("issue", key, payload), Insert("tenant", inserted, "new")});
    ASSERT_THAT(SealAndCommit(session.get()), IsOk());
    expected.erase({tenant.value(), "issue", key});
    expected[{tenant.value(), "tenant", inserted}] = "new";
    ASSERT_EQ(Everything(), expected);
  }
  for (const TenantId& tenant : tenants) {
    EXPECT_THAT(application()->DeleteTenant(tenant), IsOk());
    std::erase_if(expected,
                  [&](const auto& row) { return std::get<0>(row.first) == tenant.value(); });
    ASSERT_EQ(Everything(), expected);
  }
}

// Stores in which a key is one tenant's or another's.
class SpanningKeysTest : public LiveStoreTest {};
INSTANTIATE_TEST_SUITE_P(Adapters, SpanningKeysTest,
                         testing::ValuesIn(AdaptersThat([](const Adapter& adapter) {
                           return adapter.capabilities.keys_span_tenants;
                         })),
                         AdapterName);

TEST_P(SpanningKeysTest, SaysThatAKeyIsAnotherTenantsAndNotItsPayload) {
  Put(kOther, "issue", "1", "secret");
  Put(kAcme, "issue", "2", "ours");
  auto session = Transaction(kAcme);
  const std::vector<RowKey> keys = {RowKey("1"), RowKey("2"), RowKey("3")};
  const auto states = session->LookUp("issue", keys);
  ASSERT_THAT(states, IsOk());
  EXPECT_EQ((*states)[0].owner, KeyOwner::kOtherTenant);
  EXPECT_EQ((*states)[0].payload, std::nullopt);
  EXPECT_EQ((*states)[1].owner, KeyOwner::kThisTenant);
  EXPECT_EQ((*states)[2].owner, KeyOwner::kNobody);
}

TEST_P(SpanningKeysTest, DoesNotTouchARowOfAnotherTenant) {
  Put(kOther, "issue", "1", "theirs");
  Put(kAcme, "issue", "2", "ours");
  const std::vector<Change> changes = {Insert("issue", "1", "x"),
                                       Replace("issue", "1", "theirs", "x"),
                                       Delete("issue", "1", "theirs")};
  for (const Change& change : changes) {
    auto session = Transaction(kAcme);
    absl::Status status = session->Apply(change);
    if (status.ok()) {
      status = SealAndCommit(session.get());
    }
    EXPECT_TRUE(HasReason(status, Reason::kKeyConflict) || HasReason(status, Reason::kLiveChanged))
        << status;
  }
  EXPECT_EQ(Live(kOther, "issue"), (Rows{{"1", "theirs"}}));
}

TEST_P(SpanningKeysTest, FailsIfAnotherTenantTakesAKeyBeforeTheCommit) {
  Put(kAcme, "issue", "2", "ours");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Insert("issue", "1", "x")});
  Put(kOther, "issue", "1", "theirs");
  const absl::Status status = SealAndCommit(session.get());
  EXPECT_TRUE(HasReason(status, Reason::kKeyConflict) || HasReason(status, Reason::kLiveChanged))
      << status;
  EXPECT_EQ(Live(kOther, "issue"), (Rows{{"1", "theirs"}}));
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"2", "ours"}}));
}

}  // namespace
}  // namespace reinstate
