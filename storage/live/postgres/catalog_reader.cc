#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include "storage/base/status_macros.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/catalog_fingerprint.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {
namespace {

constexpr std::string_view kDoing = "read the catalog";

// Tables that are no partition, not of the system and not temporary; and for each relation that
// holds rows of one, which one. Each statement below begins with it.
constexpr std::string_view kTables = R"(
WITH tables AS MATERIALIZED (
  SELECT c.oid, n.nspname, c.relname, c.relkind
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
heaps AS MATERIALIZED (
  SELECT oid AS root, oid, true AS leaf FROM tables WHERE relkind <> 'p'
  UNION ALL
  SELECT t.oid, p.relid, p.isleaf
  FROM tables t, LATERAL pg_catalog.pg_partition_tree(t.oid) p WHERE t.relkind = 'p')
)";

constexpr std::string_view kTableFacts = R"(, published AS MATERIALIZED (
  SELECT p.schemaname, p.tablename
  FROM pg_catalog.pg_publication_tables p
  JOIN pg_catalog.pg_publication b ON b.pubname = p.pubname WHERE b.pubupdate OR b.pubdelete)
SELECT t.oid, t.nspname, t.relname, t.relkind, t.relkind = 'r' AND c.relhassubclass,
  coalesce(e.extname, ''),
  (c.relrowsecurity OR c.relforcerowsecurity) AND pg_catalog.row_security_active(t.oid),
  pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'),
  pg_catalog.has_table_privilege(t.oid, 'SELECT'),
  pg_catalog.has_table_privilege(t.oid, 'INSERT'),
  pg_catalog.has_table_privilege(t.oid, 'UPDATE'),
  pg_catalog.has_any_column_privilege(t.oid, 'UPDATE'),
  pg_catalog.has_table_privilege(t.oid, 'DELETE'),
  EXISTS (SELECT FROM heaps h JOIN pg_catalog.pg_class hc ON hc.oid = h.oid
          JOIN pg_catalog.pg_namespace hn ON hn.oid = hc.relnamespace
          JOIN published p ON p.schemaname = hn.nspname AND p.tablename = hc.relname
            OR p.schemaname = t.nspname AND p.tablename = t.relname
          WHERE h.root = t.oid AND h.leaf AND hc.relreplident <> 'f' AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_index i
              WHERE i.indrelid = h.oid AND i.indisvalid AND i.indimmediate
                AND (hc.relreplident = 'd' AND i.indisprimary
                  OR hc.relreplident = 'i' AND i.indisreplident)))
FROM tables t JOIN pg_catalog.pg_class c ON c.oid = t.oid
LEFT JOIN pg_catalog.pg_depend d
  ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
ORDER BY t.nspname COLLATE "C", t.relname COLLATE "C")";

// The names of types for people and schemas do not depend on the search_path: a snapshot that was
// taken under another one would seem to be of other columns. Those for SQL do.
constexpr std::string_view kColumnFacts = R"(, bases AS (
  WITH RECURSIVE base(oid, base, typmod) AS (
    SELECT oid, oid, -1 FROM pg_catalog.pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT y.oid, b.base, CASE WHEN y.typtypmod >= 0 THEN y.typtypmod ELSE b.typmod END
    FROM pg_catalog.pg_type y JOIN base b ON y.typtype = 'd' AND y.typbasetype = b.oid)
  SELECT * FROM base)
SELECT a.attrelid, a.attnum, a.attname, CASE yn.nspname
    WHEN 'pg_catalog' THEN pg_catalog.format_type(a.atttypid, a.atttypmod)
    WHEN 'public' THEN bare.name ELSE pg_catalog.quote_ident(yn.nspname) || '.' || bare.name END,
  pg_catalog.format_type(a.atttypid, -1), b.base, y.typtype,
  CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE b.typmod END,
  coalesce(l.collisdeterministic, true), a.attnotnull, a.attgenerated <> '', a.attidentity = 'a',
  CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(f.adbin, f.adrelid) END
FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
JOIN bases b ON b.oid = a.atttypid JOIN pg_catalog.pg_type y ON y.oid = b.base
JOIN pg_catalog.pg_type own ON own.oid = a.atttypid
JOIN pg_catalog.pg_namespace yn ON yn.oid = own.typnamespace
CROSS JOIN LATERAL (
  SELECT CASE WHEN pg_catalog.starts_with(s.text, s.prefix)
    THEN pg_catalog.substr(s.text, pg_catalog.length(s.prefix) + 1) ELSE s.text END AS name
  FROM (SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) AS text,
               pg_catalog.quote_ident(yn.nspname) || '.' AS prefix) s) bare
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum)";

constexpr std::string_view kUniqueFacts = R"(
SELECT i.indrelid, c.relname, i.indisprimary, i.indisexclusion, NOT i.indimmediate,
  i.indpred IS NOT NULL, o.oid IS NOT NULL, NOT i.indnullsnotdistinct,
  coalesce(pg_catalog.pg_get_constraintdef(o.oid), pg_catalog.pg_get_indexdef(i.indexrelid)),
  (SELECT pg_catalog.string_agg(u.k::text, ' ' ORDER BY u.n)
   FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u(k, n) WHERE u.n <= i.indnkeyatts),
  (SELECT pg_catalog.string_agg(DISTINCT coalesce(g.refobjsubid, d.refobjsubid)::text, ' ')
   FROM pg_catalog.pg_depend d
   LEFT JOIN pg_catalog.pg_attribute a
     ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid AND a.attgenerated <> ''
   LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
   LEFT JOIN pg_catalog.pg_depend g ON g.refclassid = 'pg_catalog.pg_class'::regclass
     AND g.refobjid = i.indrelid AND g.refobjsubid > 0 AND g.refobjsubid <> a.attnum
     AND (g.classid = 'pg_catalog.pg_attrdef'::regclass AND g.objid = f.oid
       OR g.classid = 'pg_catalog.pg_class'::regclass AND g.objid = i.indrelid
         AND g.objsubid = a.attnum)
   WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
     AND d.refobjsubid > 0
     AND (d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
       OR d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = o.oid))
FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_constraint o ON o.conindid = i.indexrelid AND o.contype IN ('p', 'u', 'x')
  AND o.conrelid = i.indrelid
WHERE (i.indisunique OR i.indisexclusion) AND i.indisvalid
ORDER BY i.indrelid, NOT i.indisprimary, c.relname COLLATE "C")";

// What each index above looks at, value by value, but for primary keys; not those with an
// expression over the row as a whole, whose text cannot be used elsewhere.
constexpr std::string_view kIndexedFacts = R"(
SELECT i.indrelid, c.relname, '(' || pg_catalog.pg_get_indexdef(i.indexrelid, k.n, false) || ')'
    || coalesce(' COLLATE ' || pg_catalog.quote_ident(ln.nspname) || '.'
                || pg_catalog.quote_ident(l.collname), ''),
  pg_catalog.format('OPERATOR(%I.%s)', pn.nspname, p.oprname), coalesce(a.attnotnull, false),
  pg_catalog.pg_get_expr(i.indpred, i.indrelid)
FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts) k(n)
LEFT JOIN pg_catalog.pg_constraint o ON o.conindid = i.indexrelid AND o.contype = 'x'
  AND o.conrelid = i.indrelid
JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[k.n - 1]
LEFT JOIN pg_catalog.pg_amop e ON e.amopfamily = oc.opcfamily AND e.amoplefttype = oc.opcintype
  AND e.amoprighttype = oc.opcintype AND e.amopstrategy = 3 AND NOT i.indisexclusion
JOIN pg_catalog.pg_operator p ON p.oid = coalesce(o.conexclop[k.n], e.amopopr)
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.oprnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[k.n - 1]
  AND a.attnum > 0
LEFT JOIN pg_catalog.pg_collation l ON l.oid = i.indcollation[k.n - 1]
LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
WHERE (i.indisunique OR i.indisexclusion) AND i.indisvalid AND NOT i.indisprimary
  AND pg_catalog.strpos(pg_catalog.pg_get_indexdef(i.indexrelid),
                        pg_catalog.quote_ident(t.relname) || '.*') = 0
ORDER BY i.indrelid, c.relname COLLATE "C", k.n)";

// Of each leaf of a table in which some partitioning has no default partition.
constexpr std::string_view kBoundFacts = R"(, gaps AS (
  SELECT h.root, pg_catalog.bool_or(0 = ANY (p.partattrs::int2[])) AS by_expression,
    (SELECT pg_catalog.string_agg(DISTINCT r.attnum::text, ' ')
     FROM heaps x JOIN pg_catalog.pg_partitioned_table q ON q.partrelid = x.oid
     JOIN pg_catalog.pg_attribute a ON a.attrelid = x.oid AND a.attnum = ANY (q.partattrs::int2[])
     JOIN pg_catalog.pg_attribute r ON r.attrelid = h.root AND r.attname = a.attname
     WHERE x.root = h.root) AS columns
  FROM heaps h JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = h.oid
  GROUP BY h.root HAVING pg_catalog.bool_or(p.partdefid = 0))
SELECT g.root, CASE WHEN NOT g.by_expression THEN g.columns END,
  pg_catalog.pg_get_partition_constraintdef(h.oid)
FROM gaps g LEFT JOIN heaps h ON h.root = g.root AND h.leaf AND h.oid <> h.root
ORDER BY g.root, h.oid)";

// Those that the partitions of a table do not have from it.
constexpr std::string_view kPartDeferrables = R"(
SELECT h.root, o.conname || ' of partition ' || c.relname
FROM heaps h JOIN pg_catalog.pg_constraint o ON o.conrelid = h.oid
JOIN pg_catalog.pg_class c ON c.oid = h.oid
WHERE h.oid <> h.root AND o.contype IN ('p', 'u', 'x') AND o.condeferrable AND o.conparentid = 0
ORDER BY 1, 2)";

constexpr std::string_view kForeignKeyFacts = R"(
SELECT o.oid, o.conname, h.root, CASE WHEN h.root <> o.conrelid THEN o.conrelid ELSE 0 END,
  o.confrelid,
  (SELECT pg_catalog.string_agg(ra.attnum::text, ' ' ORDER BY u.n)
   FROM pg_catalog.unnest(o.conkey) WITH ORDINALITY u(k, n)
   JOIN pg_catalog.pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = u.k
   JOIN pg_catalog.pg_attribute ra ON ra.attrelid = h.root AND ra.attname = a.attname),
  (SELECT pg_catalog.string_agg(ra.attnum::text, ' ' ORDER BY u.n)
   FROM pg_catalog.unnest(o.confkey) WITH ORDINALITY u(k, n)
   JOIN pg_catalog.pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = u.k
   JOIN pg_catalog.pg_attribute ra ON ra.attrelid = p.root AND ra.attname = a.attname),
  o.convalidated, o.condeferrable, o.confmatchtype = 'f', o.confdeltype, o.confupdtype, p.root,
  CASE WHEN h.root <> o.conrelid THEN pg_catalog.format('%I.%I', hn.nspname, hc.relname) END,
  CASE WHEN p.root <> o.confrelid THEN pg_catalog.format('%I.%I', pn.nspname, pc.relname) END
FROM pg_catalog.pg_constraint o JOIN heaps h ON h.oid = o.conrelid
JOIN heaps p ON p.oid = o.confrelid JOIN tables t ON t.oid = h.root
JOIN pg_catalog.pg_class hc ON hc.oid = h.oid
JOIN pg_catalog.pg_namespace hn ON hn.oid = hc.relnamespace
JOIN pg_catalog.pg_class pc ON pc.oid = p.oid
JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
WHERE o.contype = 'f' AND o.conparentid = 0
ORDER BY t.nspname COLLATE "C", t.relname COLLATE "C", o.conname COLLATE "C", o.oid)";

constexpr std::string_view kIndexFacts = R"(
SELECT DISTINCT i.indrelid, i.indkey[0] FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
WHERE i.indisvalid AND i.indpred IS NULL AND i.indkey[0] > 0
ORDER BY 1, 2)";

constexpr std::string_view kHeapFacts = R"(
SELECT h.root, h.oid, n.nspname, c.relname, c.relkind <> 'f', c.reltuples,
  CASE WHEN c.relkind = 'f' THEN 0 ELSE pg_catalog.pg_relation_size(h.oid)
    / pg_catalog.current_setting('block_size')::bigint END,
  CASE WHEN c.relkind = 'f' THEN 0 ELSE pg_catalog.pg_table_size(h.oid) END
FROM heaps h JOIN pg_catalog.pg_class c ON c.oid = h.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE h.leaf AND c.relkind IN ('r', 'f')
ORDER BY h.root, n.nspname COLLATE "C", c.relname COLLATE "C")";

// Those that a column owns, and those that its default takes a value from.
constexpr std::string_view kSequenceFacts = R"(
SELECT DISTINCT x.root, x.attnum, n.nspname, s.relname FROM (
  SELECT d.refobjid AS root, d.refobjsubid AS attnum, d.objid AS sequence
  FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
  UNION ALL
  SELECT a.adrelid, a.adnum, d.refobjid
  FROM pg_catalog.pg_attrdef a JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = a.oid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass) x
JOIN tables t ON t.oid = x.root
JOIN pg_catalog.pg_class s ON s.oid = x.sequence AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
ORDER BY 1, 2, 3, 4)";

constexpr std::string_view kFiringFacts = R"(
SELECT h.root, 'trigger ' || g.tgname FROM heaps h JOIN pg_catalog.pg_trigger g ON g.tgrelid = h.oid
WHERE g.tgenabled IN ('A', 'R')
UNION
SELECT h.root, 'rule ' || r.rulename FROM heaps h JOIN pg_catalog.pg_rewrite r ON r.ev_class = h.oid
WHERE r.ev_enabled IN ('A', 'R') AND r.ev_type <> '1'
ORDER BY 1, 2)";

// The OIDs of what compares by its text, beside the classes: bool, bytea, "char", oid, date, time,
// timestamp, timestamptz, bit, varbit, macaddr, macaddr8, inet, cidr, pg_lsn.
constexpr PgOid kByText[] = {16,   17,   18,  26,  1082, 1083, 1114, 1184,
                             1560, 1562, 829, 774, 869,  650,  3220};
constexpr PgOid kNumeric = 1700;

PgTypeClass ClassOf(PgOid base, bool is_enum, bool deterministic) {
  switch (base) {
    case 20:  // int8
    case 21:  // int2
    case 23:  // int4
      return PgTypeClass::kInteger;
    case 19:    // name
    case 25:    // text
    case 1043:  // varchar
      return deterministic ? PgTypeClass::kText : PgTypeClass::kOther;
    case 1042:  // bpchar
      return deterministic ? PgTypeClass::kPaddedText : PgTypeClass::kOther;
    case 2950:
      return PgTypeClass::kUuid;
    default:
      return is_enum ? PgTypeClass::kEnum : PgTypeClass::kOther;
  }
}

// With a length, padded text always has that length; with a scale, numeric always has its digits.
bool EqualByText(PgTypeClass type_class, PgOid base, int64_t typmod) {
  if (type_class == PgTypeClass::kPaddedText || base == kNumeric) {
    return typmod >= 0;
  }
  return type_class != PgTypeClass::kOther ||
         std::find(std::begin(kByText), std::end(kByText), base) != std::end(kByText);
}

std::vector<PgAttnum> Numbers(std::string_view text) {
  std::vector<PgAttnum> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    PgAttnum number = 0;
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc()) {
      break;
    }
    numbers.push_back(number);
    at = parsed.ptr + 1;
  }
  return numbers;
}

class Reader {
 public:
  explicit Reader(PgConnection* connection) : connection_(connection) {}

  absl::StatusOr<PgCatalog> Read() {
    RETURN_IF_ERROR(Each(kTableFacts, &Reader::TakeTable));
    for (size_t i = 0; i < catalog_.tables.size(); ++i) {
      by_oid_[catalog_.tables[i].oid] = i;
    }
    RETURN_IF_ERROR(Each(kColumnFacts, &Reader::TakeColumn));
    RETURN_IF_ERROR(Each(kUniqueFacts, &Reader::TakeUnique));
    RETURN_IF_ERROR(Each(kIndexedFacts, &Reader::TakeIndexed));
    RETURN_IF_ERROR(Each(kBoundFacts, &Reader::TakeBound));
    RETURN_IF_ERROR(Each(kPartDeferrables, &Reader::TakePartDeferrable));
    RETURN_IF_ERROR(Each(kForeignKeyFacts, &Reader::TakeForeignKey));
    RETURN_IF_ERROR(Each(kIndexFacts, &Reader::TakeIndex));
    RETURN_IF_ERROR(Each(kHeapFacts, &Reader::TakeHeap));
    RETURN_IF_ERROR(Each(kSequenceFacts, &Reader::TakeSequence));
    RETURN_IF_ERROR(Each(kFiringFacts, &Reader::TakeFiring));
    for (PgTable& table : catalog_.tables) {
      ChooseKey(&table);
    }
    ASSIGN_OR_RETURN(catalog_.fingerprint, ReadCatalogFingerprint(connection_));
    return std::move(catalog_);
  }

 private:
  using Take = void (Reader::*)(const PgResult& result, int row);

  absl::Status Each(std::string_view sql, Take take) {
    ASSIGN_OR_RETURN(const PgResult result,
                     connection_->Query(kDoing, std::string(kTables) + std::string(sql)));
    for (int row = 0; row < result.rows(); ++row) {
      (this->*take)(result, row);
    }
    return absl::OkStatus();
  }

  // Of the table that the first field names; all statements look at the same tables.
  PgTable& TableOf(const PgResult& result, int row) {
    return catalog_.tables[by_oid_.at(static_cast<PgOid>(result.GetInt(row, 0)))];
  }

  void TakeTable(const PgResult& result, int row) {
    PgTable table;
    table.oid = static_cast<PgOid>(result.GetInt(row, 0));
    table.schema = result.Get(row, 1);
    table.name = result.Get(row, 2);
    table.kind = result.Get(row, 3).front();
    table.inherited_from = result.GetBool(row, 4);
    table.extension = result.Get(row, 5);
    table.row_security = result.GetBool(row, 6);
    table.privileges = {.schema_usage = result.GetBool(row, 7),
                        .select = result.GetBool(row, 8),
                        .insert = result.GetBool(row, 9),
                        .update = result.GetBool(row, 10),
                        .update_some_column = result.GetBool(row, 11),
                        .del = result.GetBool(row, 12)};
    table.lacks_replica_identity = result.GetBool(row, 13);
    catalog_.tables.push_back(std::move(table));
  }

  void TakeColumn(const PgResult& result, int row) {
    const auto base = static_cast<PgOid>(result.GetInt(row, 5));
    const PgTypeClass type_class = ClassOf(base, result.Get(row, 6) == "e", result.GetBool(row, 8));
    PgColumn column;
    column.number = static_cast<PgAttnum>(result.GetInt(row, 1));
    column.name = result.Get(row, 2);
    column.type = result.Get(row, 3);
    column.cast_type = result.Get(row, 4);
    column.type_class = type_class;
    column.text_equality = EqualByText(type_class, base, result.GetInt(row, 7));
    column.not_null = result.GetBool(row, 9);
    column.generated = result.GetBool(row, 10);
    column.always_identity = result.GetBool(row, 11);
    column.generation = result.Get(row, 12);
    TableOf(result, row).columns.push_back(std::move(column));
  }

  void TakeUnique(const PgResult& result, int row) {
    PgUnique unique;
    unique.name = result.Get(row, 1);
    unique.primary = result.GetBool(row, 2);
    unique.exclusion = result.GetBool(row, 3);
    unique.deferrable = result.GetBool(row, 4);
    unique.partial = result.GetBool(row, 5);
    unique.constraint = result.GetBool(row, 6);
    unique.nulls_distinct = result.GetBool(row, 7);
    unique.definition = result.Get(row, 8);
    unique.columns = Numbers(result.Get(row, 9));
    unique.inputs = Numbers(result.Get(row, 10));
    // Zero stands for an expression.
    if (std::find(unique.columns.begin(), unique.columns.end(), 0) != unique.columns.end()) {
      unique.columns.clear();
    }
    TableOf(result, row).uniques.push_back(std::move(unique));
  }

  void TakeIndexed(const PgResult& result, int row) {
    std::vector<PgUnique>& uniques = TableOf(result, row).uniques;
    const std::string_view name = result.Get(row, 1);
    const auto found = std::find_if(uniques.begin(), uniques.end(),
                                    [name](const PgUnique& unique) { return unique.name == name; });
    if (found != uniques.end()) {
      found->indexed.push_back({.value = std::string(result.Get(row, 2)),
                                .equals = std::string(result.Get(row, 3)),
                                .not_null = result.GetBool(row, 4)});
      found->predicate = result.Get(row, 5);
    }
  }

  // A partition without a constraint takes everything.
  void TakeBound(const PgResult& result, int row) {
    PgTable& table = TableOf(result, row);
    table.may_lack_partition = true;
    table.bound_columns = Numbers(result.Get(row, 1));
    if (!result.IsNull(row, 2)) {
      table.bounds.emplace_back(result.Get(row, 2));
    }
  }

  void TakePartDeferrable(const PgResult& result, int row) {
    TableOf(result, row).part_deferrables.emplace_back(result.Get(row, 1));
  }

  void TakeForeignKey(const PgResult& result, int row) {
    PgForeignKey key;
    key.oid = static_cast<PgOid>(result.GetInt(row, 0));
    key.name = result.Get(row, 1);
    key.child = static_cast<PgOid>(result.GetInt(row, 2));
    key.child_heap = static_cast<PgOid>(result.GetInt(row, 3));
    key.parent = static_cast<PgOid>(result.GetInt(row, 4));
    key.child_columns = Numbers(result.Get(row, 5));
    key.parent_columns = Numbers(result.Get(row, 6));
    key.validated = result.GetBool(row, 7);
    key.deferrable = result.GetBool(row, 8);
    key.match_full = result.GetBool(row, 9);
    key.on_delete = result.Get(row, 10).front();
    key.on_update = result.Get(row, 11).front();
    key.parent_table = static_cast<PgOid>(result.GetInt(row, 12));
    key.child_part = result.Get(row, 13);
    key.parent_part = result.Get(row, 14);
    catalog_.foreign_keys.push_back(std::move(key));
  }

  void TakeIndex(const PgResult& result, int row) {
    TableOf(result, row).index_leads.push_back(static_cast<PgAttnum>(result.GetInt(row, 1)));
  }

  void TakeHeap(const PgResult& result, int row) {
    PgTable& table = TableOf(result, row);
    PgHeap heap;
    heap.oid = static_cast<PgOid>(result.GetInt(row, 1));
    heap.schema = result.Get(row, 2);
    heap.name = result.Get(row, 3);
    heap.by_ctid = result.GetBool(row, 4);
    heap.pages = result.GetInt(row, 6);
    const double tuples = std::strtod(std::string(result.Get(row, 5)).c_str(), nullptr);
    if (tuples >= 0) {
      table.estimated_rows = std::max(table.estimated_rows, 0.0) + tuples;
    }
    table.estimated_bytes += result.GetInt(row, 7);
    table.heaps.push_back(std::move(heap));
  }

  void TakeSequence(const PgResult& result, int row) {
    TableOf(result, row)
        .sequences.push_back({.schema = std::string(result.Get(row, 2)),
                              .name = std::string(result.Get(row, 3)),
                              .column = static_cast<PgAttnum>(result.GetInt(row, 1))});
  }

  void TakeFiring(const PgResult& result, int row) {
    TableOf(result, row).firing.emplace_back(result.Get(row, 1));
  }

  // The primary key comes first among the uniques; a deferrable one holds between transactions.
  static void ChooseKey(PgTable* table) {
    for (const PgUnique& unique : table->uniques) {
      const bool whole =
          !unique.exclusion && !unique.partial && (unique.primary || !unique.deferrable);
      const bool by_columns =
          !unique.columns.empty() &&
          std::all_of(unique.columns.begin(), unique.columns.end(), [table](PgAttnum number) {
            const PgColumn* const column = table->Column(number);
            return column != nullptr && column->not_null && !column->generated;
          });
      if (whole && by_columns) {
        table->key = unique.columns;
        return;
      }
    }
  }

  PgConnection* const connection_;
  PgCatalog catalog_;
  std::map<PgOid, size_t> by_oid_;
};

}  // namespace

absl::StatusOr<PgCatalog> ReadCatalog(PgConnection* connection) {
  return Reader(connection).Read();
}

}  // namespace reinstate
