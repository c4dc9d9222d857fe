#include "tests/integration/postgres/random_application.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr int kTenants = 5;
constexpr uint64_t kMostTables = 8;

const std::array<std::string, 14> kTypes = {
    "text",  "integer", "bigint", "numeric(10,2)",         "boolean", "timestamptz", "date",
    "jsonb", "bytea",   "text[]", "character varying(40)", "uuid",    "mood",        "word"};

// Few enough that some values of a tenant that were deleted are another's by the restore.
constexpr uint64_t kUniqueValues = 2'000;
constexpr int kPartitions = 3;

constexpr char kTypesSql[] =
    "CREATE TYPE mood AS ENUM ('low', 'so so', 'high');\n"
    "CREATE DOMAIN word AS character varying(40) CHECK (value <> 'never');\n";

std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}}), "'");
}

std::string Uuid(uint64_t number) {
  return absl::StrFormat("%08x-0000-4000-8000-%012x",
                         number * uint64_t{2654435761} % uint64_t{0xFFFFFFFF}, number);
}

}  // namespace

RandomApplication::RandomApplication(uint64_t seed) : random_(seed), text_(&random_) {
  static const std::array<std::string, 3> kTenantTypes = {"text", "bigint", "uuid"};
  tenant_type_ = random_.Of(kTenantTypes);
  for (int i = 0; i < kTenants; ++i) {
    const auto number = uint64_t{10} + static_cast<uint64_t>(i);
    tenants_.push_back(tenant_type_ == "uuid"     ? Uuid(number)
                       : tenant_type_ == "bigint" ? absl::StrCat(number)
                                                  : absl::StrCat("it's ", text_.Word(&random_), i));
  }
  const auto tables = static_cast<int>(1 + random_.Below(kMostTables));
  for (int i = 0; i < tables; ++i) {
    tables_.push_back(RandomTable(i));
  }
}

RandomApplication::Table RandomApplication::RandomTable(int number) {
  Table table;
  table.name = absl::StrCat("t", number);
  table.key = static_cast<Key>(random_.Below(number == 0 ? 4 : 5));
  const auto other = static_cast<int>(random_.Below(static_cast<uint64_t>(number) + 1));
  if (other < number && CanBeParent(other) && random_.Below(2) == 0) {
    table.parent = other;
    table.key = table.key == Key::kOfTenant ? Key::kText : table.key;
  }
  const auto third = static_cast<int>(random_.Below(static_cast<uint64_t>(number) + 1));
  const Key referred = third == number ? table.key : tables_[third].key;
  if (referred != Key::kNone && referred != Key::kOfTenant && random_.Below(2) == 0) {
    table.reference = third;
    table.cascades = random_.Below(3) == 0;
  }
  table.partitioned = table.key != Key::kNone && random_.Below(4) == 0;
  AddColumns(&table);
  return table;
}

void RandomApplication::AddColumns(Table* table) {
  for (uint64_t i = 0, columns = 1 + random_.Below(5); i < columns; ++i) {
    table->data.push_back({.name = absl::StrCat("d", i), .type = random_.Of(kTypes)});
  }
  // A unique constraint of a partitioned table has its partition key in it.
  const bool may_be_unique = !table->partitioned;
  if (may_be_unique && random_.Below(2) == 0) {
    table->data.push_back(
        {.name = "u",
         .type = "integer",
         .clause = random_.Below(2) == 0 ? "UNIQUE" : "UNIQUE DEFERRABLE INITIALLY DEFERRED",
         .has_few_values = true,
         .is_unique = true});
  }
  if (random_.Below(3) == 0) {
    const bool is_unique = may_be_unique && random_.Below(2) == 0;
    table->data.push_back({.name = "w", .type = "integer", .has_few_values = true});
    table->data.push_back(
        {.name = "g",
         .type = "bigint",
         .clause = absl::StrCat("GENERATED ALWAYS AS (w * 3) STORED", is_unique ? " UNIQUE" : ""),
         .is_given = false,
         .is_unique = is_unique});
  }
  if (!table->partitioned && random_.Below(3) == 0) {
    table->data.push_back(
        {.name = "i",
         .type = "bigint",
         .clause = absl::StrCat("GENERATED ", random_.Below(2) == 0 ? "ALWAYS" : "BY DEFAULT",
                                " AS IDENTITY"),
         .is_given = false});
  }
}

const std::vector<std::string>& RandomApplication::AllFeatures() {
  static const auto& features = *new std::vector<std::string>{
      "enumeration",      "domain",           "unique value", "deferrable unique value",
      "generated column", "unique generated", "identity",     "partitioned table"};
  return features;
}

std::map<std::string, int> RandomApplication::Features() const {
  std::map<std::string, int> features;
  for (const Table& table : tables_) {
    features["partitioned table"] += table.partitioned ? 1 : 0;
    for (const Column& column : table.data) {
      const auto says = [&column](const char* what) {
        return column.clause.find(what) != std::string::npos ? 1 : 0;
      };
      features["enumeration"] += column.type == "mood" ? 1 : 0;
      features["domain"] += column.type == "word" ? 1 : 0;
      features["deferrable unique value"] += says("DEFERRABLE");
      features["unique value"] += column.name == "u" && says("DEFERRABLE") == 0 ? 1 : 0;
      features["generated column"] += says("STORED");
      features["unique generated"] += column.name == "g" && column.is_unique ? 1 : 0;
      features["identity"] += says("IDENTITY");
    }
  }
  return features;
}

bool RandomApplication::HoldsUniqueValues(const StoreModel& model) const {
  for (int i = 0; i < static_cast<int>(tables_.size()); ++i) {
    const std::vector<std::string> names = ColumnNames(i);
    for (const Column& column : tables_[i].data) {
      if (!column.is_unique) {
        continue;
      }
      const auto place = std::find(names.begin(), names.end(), column.name) - names.begin();
      std::set<std::string> seen;
      for (const auto& [tenant, tables] : model) {
        const auto rows = tables.find(tables_[i].name);
        for (const auto& [key, row] : rows == tables.end() ? TableModel() : rows->second) {
          const std::vector<std::string> fields = absl::StrSplit(row, '\t');
          const std::string& value = fields[static_cast<size_t>(place)];
          if (value != "\\N" && !seen.insert(value).second) {
            return false;
          }
        }
      }
    }
  }
  return true;
}

std::string RandomApplication::At(const std::string& alias) {
  return absl::StrCat("concat(", alias, ".tableoid, ' ', ", alias, ".ctid)");
}

std::string RandomApplication::KeyType(Key key) const {
  switch (key) {
    case Key::kBigint:
      return "bigint";
    case Key::kUuid:
      return "uuid";
    default:
      return "text";
  }
}

std::vector<RandomApplication::Column> RandomApplication::KeyColumns(int table) const {
  switch (tables_[table].key) {
    case Key::kNone:
      return {};
    case Key::kOfTenant:
      return {{.name = "tenant_id", .type = tenant_type_}, {.name = "n", .type = "integer"}};
    default:
      return {{.name = "id", .type = KeyType(tables_[table].key)}};
  }
}

std::vector<RandomApplication::Column> RandomApplication::ParentColumns(int table) const {
  std::vector<Column> columns;
  if (tables_[table].parent >= 0) {
    for (const Column& key : KeyColumns(tables_[table].parent)) {
      columns.push_back({.name = "up_" + key.name, .type = key.type});
    }
  }
  return columns;
}

// Key, tenant or parent, reference, data.
std::vector<std::string> RandomApplication::ColumnNames(int table, bool only_given) const {
  std::vector<std::string> names;
  for (const Column& column : KeyColumns(table)) {
    names.push_back(column.name);
  }
  if (tables_[table].parent < 0 && tables_[table].key != Key::kOfTenant) {
    names.emplace_back("tenant_id");
  }
  for (const Column& column : ParentColumns(table)) {
    names.push_back(column.name);
  }
  if (tables_[table].reference >= 0) {
    names.emplace_back("see");
  }
  for (const Column& column : tables_[table].data) {
    if (column.is_given || !only_given) {
      names.push_back(column.name);
    }
  }
  return names;
}

std::vector<std::string> RandomApplication::ColumnDefinitions(int table) const {
  const Table& facts = tables_[table];
  std::vector<Column> columns = KeyColumns(table);
  if (facts.parent < 0 && facts.key != Key::kOfTenant) {
    columns.push_back({.name = "tenant_id", .type = tenant_type_});
  }
  const std::vector<Column> up = ParentColumns(table);
  columns.insert(columns.end(), up.begin(), up.end());
  std::vector<std::string> definitions;
  for (const Column& column : columns) {
    definitions.push_back(absl::StrCat(column.name, " ", column.type, " NOT NULL"));
  }
  if (facts.reference >= 0) {
    definitions.push_back(absl::StrCat("see ", KeyType(tables_[facts.reference].key)));
  }
  for (const Column& column : facts.data) {
    definitions.push_back(absl::StrCat(column.name, " ", column.type, " ", column.clause));
  }
  return definitions;
}

std::string RandomApplication::SchemaSql() const {
  const auto names = [](const std::vector<Column>& columns) {
    return absl::StrJoin(columns, ", ", [](std::string* text, const Column& column) {
      absl::StrAppend(text, column.name);
    });
  };
  std::string sql = kTypesSql;
  for (int i = 0; i < static_cast<int>(tables_.size()); ++i) {
    const Table& table = tables_[i];
    std::vector<std::string> parts = ColumnDefinitions(i);
    if (table.key != Key::kNone) {
      parts.push_back(absl::StrCat("PRIMARY KEY (", names(KeyColumns(i)), ")"));
    }
    if (table.parent >= 0) {
      parts.push_back(absl::StrCat("FOREIGN KEY (", names(ParentColumns(i)), ") REFERENCES ",
                                   tables_[table.parent].name, " ON DELETE CASCADE"));
    }
    if (table.reference >= 0) {
      parts.push_back(absl::StrCat("FOREIGN KEY (see) REFERENCES ", tables_[table.reference].name,
                                   " ON DELETE ", table.cascades ? "CASCADE" : "SET NULL"));
    }
    absl::StrAppend(&sql, "CREATE TABLE ", table.name, " (", absl::StrJoin(parts, ", "), ")");
    if (table.partitioned) {
      absl::StrAppend(&sql, " PARTITION BY HASH (", KeyColumns(i).back().name, ")");
    }
    absl::StrAppend(&sql, ";\n");
    for (int part = 0; part < kPartitions && table.partitioned; ++part) {
      absl::StrAppend(&sql, "CREATE TABLE ", table.name, "_", part, " PARTITION OF ", table.name,
                      " FOR VALUES WITH (MODULUS ", kPartitions, ", REMAINDER ", part, ");\n");
    }
  }
  return sql;
}

std::string RandomApplication::OwnedSql(int table) const {
  const Table& facts = tables_[table];
  if (facts.parent < 0) {
    return absl::StrCat("SELECT t.tenant_id::text AS owner, ", At("t"), " AS at, t.* FROM ",
                        facts.name, " AS t");
  }
  std::string on;
  for (const Column& key : KeyColumns(facts.parent)) {
    absl::StrAppend(&on, on.empty() ? "" : " AND ", "q.", key.name, " = t.up_", key.name);
  }
  return absl::StrCat("SELECT q.owner, ", At("t"), " AS at, t.* FROM ", facts.name, " AS t JOIN (",
                      OwnedSql(facts.parent), ") AS q ON ", on);
}

std::string RandomApplication::AnyRow(int table, const std::string& tenant) {
  return absl::StrCat("(SELECT at FROM (", OwnedSql(table), ") AS o WHERE owner = ", Quoted(tenant),
                      " ORDER BY md5(concat(at, ", random_.Below(1000), ")) LIMIT 1)");
}

std::string RandomApplication::NewKey(Key key, const std::string& tenant) {
  const int64_t number = next_key_++;
  switch (key) {
    case Key::kNone:
      return "";
    case Key::kBigint:
      return absl::StrCat(number);
    case Key::kUuid:
      return Quoted(Uuid(static_cast<uint64_t>(number))) + "::uuid";
    case Key::kText:
      return Quoted(absl::StrCat(text_.Word(&random_), "' ", number));
    case Key::kOfTenant:
      return absl::StrCat(Quoted(tenant), "::", tenant_type_, ", ", number % 1'000'000);
  }
  return "";
}

std::string RandomApplication::RandomValue(const Column& column) {
  return column.has_few_values && random_.Below(7) != 0
             ? absl::StrCat(first_unique_ + random_.Below(kUniqueValues))
             : RandomValueOf(column.has_few_values ? "NULL" : column.type);
}

std::string RandomApplication::RandomValueOf(const std::string& type) {
  const uint64_t number = random_.Below(100'000);
  std::string value;
  if (type == "NULL" || random_.Below(7) == 0) {
    return "NULL";
  }
  if (type == "integer" || type == "bigint") {
    value = absl::StrCat("-", number);
  } else if (type == "numeric(10,2)") {
    value = absl::StrCat(number, ".5");
  } else if (type == "boolean") {
    value = number % 2 == 0 ? "true" : "false";
  } else if (type == "timestamptz") {
    value = absl::StrCat("2022-04-05 07:38:", number % 60, ".", number, "+02");
  } else if (type == "date") {
    value = absl::StrCat("2022-0", 1 + number % 9, "-11");
  } else if (type == "jsonb") {
    value = absl::StrCat(R"({"b": [)", number, R"(, null], "a": "\t\"q\""})");
  } else if (type == "bytea") {
    value = absl::StrFormat("\\x00ff%08x", number);
  } else if (type == "text[]") {
    value = absl::StrCat(R"({a,NULL,"c d\"",n)", number, "}");
  } else if (type == "uuid") {
    value = Uuid(number);
  } else if (type == "mood") {
    value = number % 3 == 0 ? "low" : number % 3 == 1 ? "so so" : "high";
  } else if (number % 5 == 0) {
    value = "\\N\ttab\nline \\ " + text_.Word(&random_);
  } else {
    value = text_.Word(&random_) + "'s";
  }
  return absl::StrCat(Quoted(value), "::", type);
}

std::string RandomApplication::InsertSql(int table, const std::string& tenant) {
  const Table& facts = tables_[table];
  std::vector<std::string> values;
  if (facts.key != Key::kNone) {
    values.push_back(NewKey(facts.key, tenant));
  }
  if (facts.parent < 0 && facts.key != Key::kOfTenant) {
    values.push_back(absl::StrCat(Quoted(tenant), "::", tenant_type_));
  }
  std::string from;
  if (facts.parent >= 0) {
    for (const Column& key : KeyColumns(facts.parent)) {
      values.push_back("up." + key.name);
    }
    from = absl::StrCat(" FROM ", tables_[facts.parent].name, " AS up WHERE ", At("up"), " = ",
                        AnyRow(facts.parent, tenant));
  }
  if (facts.reference >= 0) {
    values.push_back(random_.Below(3) == 0
                         ? "NULL"
                         : absl::StrCat("(SELECT id FROM ", tables_[facts.reference].name,
                                        " AS r WHERE ", At("r"), " = ",
                                        AnyRow(facts.reference, tenant), ")"));
  }
  for (const Column& column : facts.data) {
    if (column.is_given) {
      values.push_back(RandomValue(column));
    }
  }
  return absl::StrCat("INSERT INTO ", facts.name, " (",
                      absl::StrJoin(ColumnNames(table, /*only_given=*/true), ", "), ") SELECT ",
                      absl::StrJoin(values, ", "), from);
}

std::string RandomApplication::UpdateSql(int table, const std::string& tenant) {
  std::vector<Column> given;
  for (const Column& column : tables_[table].data) {
    if (column.is_given) {
      given.push_back(column);
    }
  }
  const Column& column = given[random_.Below(given.size())];
  return absl::StrCat("UPDATE ", tables_[table].name, " AS t SET ", column.name, " = ",
                      RandomValue(column), " WHERE ", At("t"), " = ", AnyRow(table, tenant));
}

std::string RandomApplication::RandomStatement(const std::string& tenant, bool only_insert) {
  const auto table = static_cast<int>(random_.Below(tables_.size()));
  const uint64_t kind = only_insert ? 0 : random_.Below(4);
  if (kind < 2) {
    return InsertSql(table, tenant);
  }
  if (kind == 2) {
    return UpdateSql(table, tenant);
  }
  return absl::StrCat("DELETE FROM ", tables_[table].name, " AS t WHERE ", At("t"), " = ",
                      AnyRow(table, tenant));
}

std::vector<std::string> RandomApplication::DeleteStatements(const std::string& tenant, bool all) {
  std::vector<std::string> statements;
  for (int i = static_cast<int>(tables_.size()) - 1; i >= 0; --i) {
    std::string where = absl::StrCat("owner = ", Quoted(tenant));
    if (!all) {
      absl::StrAppend(&where, " AND mod(abs(hashtext(concat(at, 'x'))), 3) = ", random_.Below(3));
    }
    statements.push_back(absl::StrCat("DELETE FROM ", tables_[i].name, " AS t WHERE ", At("t"),
                                      " IN (SELECT at FROM (", OwnedSql(i), ") AS o WHERE ", where,
                                      ")"));
  }
  return statements;
}

absl::StatusOr<StoreModel> RandomApplication::Read(PlainDatabase* database) const {
  StoreModel model;
  for (int i = 0; i < static_cast<int>(tables_.size()); ++i) {
    const std::string& name = tables_[i].name;
    const size_t key_columns = KeyColumns(i).size();
    RETURN_IF_ERROR(
        database->CopyOut(absl::StrCat("COPY (SELECT owner, ", absl::StrJoin(ColumnNames(i), ", "),
                                       " FROM (", OwnedSql(i), ") AS o) TO STDOUT"),
                          [&](std::string_view line) {
                            const size_t tab = line.find('\t');
                            const std::string row(line.substr(tab + 1));
                            TableModel& rows = model[std::string(line.substr(0, tab))][name];
                            size_t end = std::string::npos;
                            for (size_t k = 0; k < key_columns; ++k) {
                              end = row.find('\t', end + 1);
                            }
                            std::string key = row.substr(0, end);
                            for (int same = 0; key_columns == 0 && rows.contains(key); ++same) {
                              key = absl::StrCat(row, "\n", same);
                            }
                            rows[key] = row;
                          }));
  }
  return model;
}

}  // namespace reinstate
