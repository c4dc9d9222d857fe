#include "storage/live/postgres/constraint_checks.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/unique_check.h"

namespace reinstate {
namespace {

// Which part of the memory is for parents that were inserted before their children: without, the
// server is asked for more of them; without the rest, it has to read tables.
constexpr size_t kParentShare = 4;

}  // namespace

ConstraintChecks::ConstraintChecks(const PgTenantMap* map, TenantId tenant, size_t memory_bytes)
    : map_(map),
      tenant_(std::move(tenant)),
      memory_{.limit_bytes = memory_bytes - memory_bytes / kParentShare},
      parent_memory_{.limit_bytes = memory_bytes / kParentShare} {
  for (const PgForeignKey& facts : map_->catalog().foreign_keys) {
    AddForeignKey(facts);
  }
  for (const PgTable& table : map_->catalog().tables) {
    AddTable(table);
  }
}

ConstraintChecks::~ConstraintChecks() = default;

void ConstraintChecks::AddForeignKey(const PgForeignKey& facts) {
  const size_t index = foreign_keys_.size();
  foreign_keys_.emplace_back(map_, tenant_, &facts, &memory_, &parent_memory_);
  tables_[facts.child].as_child.push_back(index);
  tables_[facts.parent_table].as_parent.push_back(index);
}

void ConstraintChecks::AddTable(const PgTable& table) {
  for (const PgSequence& sequence : table.sequences) {
    const std::vector<size_t> fields = FieldsOf(table, {sequence.column});
    if (fields.front() != std::string::npos) {
      tables_[table.oid].sequences.push_back(sequences_.size());
      sequences_.push_back({.sequence = &sequence, .table = &table, .field = fields.front()});
    }
  }
  for (const PgUnique& unique : table.uniques) {
    if (unique.deferrable && !unique.exclusion) {
      tables_[table.oid].uniques.push_back(uniques_.size());
      uniques_.push_back({.facts = &unique, .table = &table});
    }
  }
}

void ConstraintChecks::NoteValue(WrittenValues* sequence, const RowFields& after) {
  const std::string_view text = after[sequence->field];
  int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) {
    return;
  }
  sequence->highest = sequence->written ? std::max(sequence->highest, value) : value;
  sequence->lowest = sequence->written ? std::min(sequence->lowest, value) : value;
  sequence->written = true;
}

void ConstraintChecks::NoteRow(PgOid table, const RowFields* before, const RowFields* after) {
  const auto concerned = tables_.find(table);
  if (concerned == tables_.end()) {
    return;
  }
  for (const size_t index : concerned->second.as_child) {
    if (after != nullptr) {
      foreign_keys_[index].NoteChild(before, *after);
    }
  }
  for (const size_t index : concerned->second.as_parent) {
    foreign_keys_[index].NoteParent(before, after);
  }
  for (const size_t index : concerned->second.sequences) {
    if (after != nullptr) {
      NoteValue(&sequences_[index], *after);
    }
  }
  for (const size_t index : concerned->second.uniques) {
    uniques_[index].written = uniques_[index].written || after != nullptr;
  }
}

void ConstraintChecks::NoteInserted(PgOid table, const RowFields& after) {
  NoteRow(table, nullptr, &after);
}

void ConstraintChecks::NoteReplaced(PgOid table, const RowFields& before, const RowFields& after) {
  NoteRow(table, &before, &after);
}

void ConstraintChecks::NoteDeleted(PgOid table, const RowFields& before) {
  NoteRow(table, &before, nullptr);
}

bool ConstraintChecks::ParentsAreWritten(PgOid child, const PathStep& step) const {
  return std::any_of(foreign_keys_.begin(), foreign_keys_.end(), [&](const ForeignKeyCheck& key) {
    const PgForeignKey& facts = key.facts();
    return facts.child == child && facts.child_heap == 0 && facts.parent == step.parent &&
           facts.child_columns == step.child_columns &&
           facts.parent_columns == step.parent_columns && !key.needs_parents();
  });
}

std::vector<WrittenValues> ConstraintChecks::WrittenSequences() const {
  std::vector<WrittenValues> written;
  for (const WrittenValues& sequence : sequences_) {
    if (sequence.written) {
      written.push_back(sequence);
    }
  }
  return written;
}

std::vector<std::string> ConstraintChecks::SequencesSql() const {
  std::vector<std::string> statements;
  for (const WrittenValues& written : WrittenSequences()) {
    statements.push_back(SequenceSql(*written.sequence));
  }
  return statements;
}

absl::Status ConstraintChecks::Check(CheckConnections connections,
                                     std::span<const PgResult> sequences) {
  const bool needs_xid = std::any_of(foreign_keys_.begin(), foreign_keys_.end(),
                                     [](const ForeignKeyCheck& key) { return key.needs_xid(); }) ||
                         std::any_of(uniques_.begin(), uniques_.end(),
                                     [](const Unique& unique) { return unique.written; });
  if (needs_xid) {
    ASSIGN_OR_RETURN(const PgResult xid,
                     connections.main->Query("look at the transaction",
                                             "SELECT pg_catalog.pg_current_xact_id()::xid"));
    connections.xid = std::string(xid.Get(0, 0));
  }
  RETURN_IF_ERROR(CheckRows(connections));
  return MoveSequencesPast(WrittenSequences(), sequences, connections.main);
}

std::vector<std::string> ConstraintChecks::Exceptions() const {
  std::vector<std::string> exceptions;
  for (const ForeignKeyCheck& key : foreign_keys_) {
    if (key.missing_parents() > 0) {
      const PgForeignKey& facts = key.facts();
      exceptions.push_back(
          absl::StrCat("restored rows of table ", map_->catalog().Find(facts.child)->DisplayName(),
                       " refer to ", key.missing_parents(), " rows of table ",
                       map_->catalog().Find(facts.parent_table)->DisplayName(),
                       " that are not there (foreign key ", facts.name,
                       ", NOT VALID), which orphans in the configuration of the store allows"));
    }
  }
  return exceptions;
}

absl::Status ConstraintChecks::CheckRows(const CheckConnections& connections) {
  for (ForeignKeyCheck& key : foreign_keys_) {
    RETURN_IF_ERROR(key.CheckChildren(connections));
  }
  std::vector<const PgTable*> tables;
  for (const Unique& unique : uniques_) {
    if (unique.written) {
      tables.push_back(unique.table);
    }
  }
  RETURN_IF_ERROR(TakeTurns(tables, connections.main));
  for (const Unique& unique : uniques_) {
    if (unique.written) {
      RETURN_IF_ERROR(CheckUnique(
          {.map = map_, .table = unique.table, .facts = unique.facts, .tenant = &tenant_},
          connections));
    }
  }
  // The parents come last: to lock a row makes it look as if it had been changed.
  for (ForeignKeyCheck& key : foreign_keys_) {
    RETURN_IF_ERROR(key.CheckParents(connections));
  }
  return absl::OkStatus();
}

}  // namespace reinstate
