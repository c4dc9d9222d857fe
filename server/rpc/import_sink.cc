#include "server/rpc/import_sink.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/dump_parts.h"
#include "reinstate/v1/snapshot_service.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/convert_snapshot.h"
#include "server/rpc/deterministic.h"
#include "server/rpc/opened_point.h"
#include "server/rpc/request_checks.h"
#include "server/snapshot/dump_file.h"
#include "server/snapshot/store_lineages.h"
#include "storage/base/id_generator.h"
#include "storage/base/status_macros.h"
#include "storage/live/labels.h"
#include "storage/live/record_store.h"
#include "storage/model/digest.h"
#include "storage/model/row_values.h"

namespace reinstate {
namespace {

// A table of the dump, as it goes into the history.
struct ImportedTable {
  TableSchema schema;
  std::vector<size_t> sources;    // of each column, which of the dump's it is
  std::vector<size_t> key_order;  // empty: not known
  int64_t rows = 0;               // that came
};

// Says which row it is that `status` is about.
absl::Status InTable(const absl::Status& status, const ImportedTable& table) {
  return WithContext(status, absl::StrCat("table ", table.schema.name, ", row ", table.rows + 1));
}

absl::StatusOr<const MappedTable*> FindTable(const TenantMap& map, const std::string& name) {
  const MappedTable* live = map.FindByName(name);
  if (live != nullptr && live->relation == Relation::kUnresolved) {
    return MakeError(Reason::kTableUnresolved,
                     absl::StrCat("Nobody has said whose the rows of table ", Printable(name),
                                  " are: declare it in the config, see `reinstate store "
                                  "discover`; or leave it out of the dump."));
  }
  if (live == nullptr || live->relation != Relation::kOwned) {
    return MakeError(
        Reason::kTableNotFound,
        absl::StrCat("The dump has a table ", Printable(name),
                     ", and the store has none of that name whose rows belong to tenants. Leave "
                     "it out of the dump; `reinstate store discover` shows those that there are."));
  }
  return live;
}

size_t IndexOf(const std::vector<Column>& columns, const std::string& name) {
  return static_cast<size_t>(
      std::find_if(columns.begin(), columns.end(),
                   [&](const Column& column) { return column.name == name; }) -
      columns.begin());
}

// The columns of the dump, with what the live table says of them where the dump does not: the types
// of columns, and which are the key if none is.
absl::StatusOr<std::vector<Column>> ColumnsOf(const v1::DumpTable& wire, const TableSchema& live) {
  std::vector<Column> columns;
  std::set<std::string> names;
  const bool says_key = std::any_of(wire.columns().begin(), wire.columns().end(),
                                    [](const v1::ColumnInfo& info) { return info.in_key(); });
  for (const v1::ColumnInfo& info : wire.columns()) {
    Column column{.name = info.name(), .type = info.type(), .in_key = info.in_key()};
    if (const size_t same = IndexOf(live.columns, column.name); same < live.columns.size()) {
      column.type = column.type.empty() ? live.columns[same].type : column.type;
      column.in_key = says_key ? column.in_key : live.columns[same].in_key;
    }
    if (column.name.empty() || column.type.empty() || !names.insert(column.name).second) {
      return FieldError("header.tables",
                        absl::StrCat("table ", Printable(wire.table()), " has a column \"",
                                     Printable(column.name),
                                     "\" twice, without a name, or without a type that is known."));
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

// Puts the columns into the order of the live table if it has the same ones: no restore takes a row
// whose columns are not those of the live table.
void TakeLiveOrder(const TableSchema& live, ImportedTable* table) {
  const std::vector<Column> given = table->schema.columns;
  table->sources.resize(given.size());
  std::iota(table->sources.begin(), table->sources.end(), size_t{0});
  if (given.size() != live.columns.size()) {
    return;
  }
  std::vector<size_t> sources;
  for (const Column& column : live.columns) {
    sources.push_back(IndexOf(given, column.name));
    if (sources.back() == given.size()) {
      return;
    }
  }
  table->sources = std::move(sources);
  for (size_t i = 0; i < given.size(); ++i) {
    table->schema.columns[i] = given[table->sources[i]];
  }
}

std::set<std::string> KeyNames(const TableSchema& schema) {
  std::set<std::string> names;
  for (const Column& column : schema.columns) {
    if (column.in_key) {
      names.insert(column.name);
    }
  }
  return names;
}

// The order of the key's columns, where it is sure.
std::vector<size_t> KeyOrderOf(const TableSchema& schema, const MappedTable& live) {
  std::vector<size_t> order;
  const std::set<std::string> names = KeyNames(schema);
  if (names.size() == 1) {
    order.push_back(IndexOf(schema.columns, *names.begin()));
  } else if (!live.key_order.empty() && names == KeyNames(live.schema)) {
    for (const size_t column : live.key_order) {
      order.push_back(IndexOf(schema.columns, live.schema.columns[column].name));
    }
  }
  return order;
}

absl::StatusOr<ImportedTable> MakeTable(const v1::DumpTable& wire, const TenantMap& map) {
  ASSIGN_OR_RETURN(const MappedTable* live, FindTable(map, wire.table()));
  ImportedTable table;
  table.schema = live->schema;
  const bool key_value = IsKeyValue(live->schema);
  if (key_value != (wire.columns_size() == 0)) {
    return FieldError("header.tables", absl::StrCat("table ", Printable(wire.table()),
                                                    key_value ? " has columns, and is one of keys "
                                                                "and payloads in the store."
                                                              : " has no columns."));
  }
  if (!key_value) {
    ASSIGN_OR_RETURN(table.schema.columns, ColumnsOf(wire, live->schema));
    TakeLiveOrder(live->schema, &table);
    table.key_order = KeyOrderOf(table.schema, *live);
  }
  return table;
}

class ImportSink final : public MessageSink {
 public:
  ImportSink(const ServiceParts& parts, const grpc::ServerContextBase* context)
      : parts_(parts), context_(context) {}

  absl::Status Accept(std::unique_ptr<google::protobuf::Message> message) override;
  absl::Status Close(google::protobuf::Message* response) override;

 private:
  absl::Status Take(v1::ImportSnapshotRequest* message);
  absl::Status CreateJob(v1::Job* response);
  absl::Status Begin(const v1::ImportSnapshotRequest& request);
  absl::Status CheckHeader(const v1::DumpHeader& header);
  absl::Status CheckInstant(absl::Time instant);
  absl::StatusOr<DumpHeader> MakeHeader(const v1::DumpHeader& header);
  absl::Status AddLabels(const v1::DumpLabels& labels);
  absl::Status AddRows(v1::DumpRows* rows);
  absl::Status EnterRows(const v1::DumpRows& rows, const ImportedTable& table);
  absl::Status AddRow(const v1::DumpRow& wire, ImportedTable* table);
  absl::Status End(const v1::DumpEnd& end);
  absl::StatusOr<TenantId> Tenant(const std::string& text);

  const ServiceParts parts_;
  const grpc::ServerContextBase* const context_;
  Call call_;
  bool validate_only_ = false;
  const ServedStore* store_ = nullptr;
  std::string lineage_;
  std::string only_tenant_;  // whose dump it is; empty: everybody's
  std::string file_name_;
  std::unique_ptr<DumpFileWriter> file_;  // null until the header has come
  Digest content_;                        // of the messages after the first
  std::vector<ImportedTable> tables_;
  DumpRowJoiner joiner_;
  TenantRow row_;
  std::string last_tenant_;  // as it came, of row_.tenant
  absl::Status not_next_;    // why the dump could not be imported, unless it was already
  bool ended_ = false;
};

// Before the call is answered, nothing is left of what is refused.
absl::Status ImportSink::Accept(std::unique_ptr<google::protobuf::Message> message) {
  absl::Status taken = Take(static_cast<v1::ImportSnapshotRequest*>(message.get()));
  if (!taken.ok()) {
    file_ = nullptr;
  }
  return taken;
}

absl::Status ImportSink::Close(google::protobuf::Message* response) {
  absl::Status created = CreateJob(static_cast<v1::Job*>(response));
  file_ = nullptr;
  return created;
}

absl::Status ImportSink::Take(v1::ImportSnapshotRequest* message) {
  v1::ImportSnapshotRequest& request = *message;
  if (file_ == nullptr) {
    return Begin(request);
  }
  content_.Add(SerializeDeterministically(request));
  if (ended_) {
    return FieldError("end", "is not the last part of the dump.");
  }
  if (joiner_.open() && !request.has_rows()) {
    return FieldError("rows", "has a row whose other parts do not follow.");
  }
  switch (request.part_case()) {
    case v1::ImportSnapshotRequest::kLabels:
      return AddLabels(request.labels());
    case v1::ImportSnapshotRequest::kRows:
      return AddRows(request.mutable_rows());
    case v1::ImportSnapshotRequest::kEnd:
      return End(request.end());
    default:
      return FieldError("part", "must be labels, rows or the end, after the one header.");
  }
}

absl::Status ImportSink::Begin(const v1::ImportSnapshotRequest& request) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  ASSIGN_OR_RETURN(call_, ReadCall(*context_, request));
  validate_only_ = request.validate_only();
  ASSIGN_OR_RETURN(store_, parts_.stores->Find(request.store()));
  lineage_ = request.lineage().empty() ? kDefaultImportLineage : request.lineage();
  if (const absl::Status name = CheckLineageName(lineage_); !name.ok()) {
    return AboutField(name, "lineage");
  }
  if (!request.has_header()) {
    return FieldError("header", "must be in the first message.");
  }
  RETURN_IF_ERROR(CheckHeader(request.header()));
  ASSIGN_OR_RETURN(const DumpHeader header, MakeHeader(request.header()));
  if (!request.header().tenant().empty()) {
    ASSIGN_OR_RETURN(const TenantId only, Tenant(request.header().tenant()));
    only_tenant_ = only.value();
  }
  file_name_ = absl::StrCat(IdGenerator(parts_.clock).Next("dump"), ".dump");
  ASSIGN_OR_RETURN(
      file_, DumpFileWriter::Create(absl::StrCat(parts_.imports_path, "/", file_name_), header));
  return absl::OkStatus();
}

absl::Status ImportSink::CheckHeader(const v1::DumpHeader& header) {
  if (!header.store().empty() && header.store() != store_->name) {
    return FieldError("header.store",
                      absl::StrCat("is ", Printable(header.store()),
                                   ", and the dump is to be "
                                   "imported for store ",
                                   store_->name, "; name that one, or correct the dump."));
  }
  ASSIGN_OR_RETURN(const state::StoreRecord record, parts_.stores->Record(store_->name));
  if (!header.store_identity().empty() && header.store_identity() != record.identity()) {
    return MakeError(Reason::kStoreIdentityChanged,
                     absl::StrCat("The dump says that it is of a store with the identity ",
                                  Printable(header.store_identity()), ", and ", store_->name,
                                  " has another one. If it is right all the same, take "
                                  "store_identity out of the dump's header."));
  }
  if (!header.has_instant()) {
    return FieldError("header.instant", "is required: what time the dump shows.");
  }
  if (header.tables().empty() || header.tables_size() > kMaxTables) {
    return FieldError("header.tables", absl::StrCat("needs 1 to ", kMaxTables, " entries."));
  }
  return CheckInstant(FromWire(header.instant()));
}

// A repetition of a call that succeeded is answered with the job, though the dump is there by now;
// whether it is one is known once all has come.
absl::Status ImportSink::CheckInstant(absl::Time instant) {
  absl::Status status = parts_.history_jobs->CheckDumpInstant(store_->name, lineage_, instant);
  if (status.ok() || call_.request.id.empty()) {
    return status;
  }
  const auto earlier = parts_.state->FindRequest(call_.request);
  if (earlier.ok() && !earlier->has_value()) {
    return status;
  }
  not_next_ = status;
  return absl::OkStatus();
}

absl::StatusOr<DumpHeader> ImportSink::MakeHeader(const v1::DumpHeader& header) {
  ASSIGN_OR_RETURN(const TenantMap live, store_->live->Catalog());
  DumpHeader made;
  made.instant = FromWire(header.instant());
  made.position = Printable(header.position(), kMaxShortTextBytes);
  std::set<std::string> names;
  for (const v1::DumpTable& wire : header.tables()) {
    ASSIGN_OR_RETURN(ImportedTable table, MakeTable(wire, live));
    if (!names.insert(wire.table()).second) {
      return FieldError("header.tables",
                        absl::StrCat("names table ", Printable(wire.table()), " twice."));
    }
    made.map.tables.push_back({.schema = table.schema,
                               .relation = Relation::kOwned,
                               .how = "the dump says whose each row is"});
    tables_.push_back(std::move(table));
  }
  made.map.label_source = "the dump";
  return made;
}

// The tenant that `text` means, as the store writes it.
absl::StatusOr<TenantId> ImportSink::Tenant(const std::string& text) {
  ASSIGN_OR_RETURN(TenantId tenant, ParseTenantOf(*parts_.stores, store_->name, "tenant", text));
  if (!only_tenant_.empty() && tenant.value() != only_tenant_) {
    return FieldError("tenant", absl::StrCat("is ", Printable(text),
                                             ", and the header says that the dump is of tenant ",
                                             Printable(only_tenant_), " alone."));
  }
  return tenant;
}

absl::Status ImportSink::AddLabels(const v1::DumpLabels& labels) {
  TenantLabels made;
  ASSIGN_OR_RETURN(made.tenant, Tenant(labels.tenant()));
  for (const std::string& label : labels.labels()) {
    if (!label.empty() && made.labels.size() < kMaxLabels) {
      made.labels.push_back(LabelFromPayload(label));
    }
  }
  return made.labels.empty() ? absl::OkStatus() : file_->AddLabels(made);
}

absl::Status ImportSink::AddRows(v1::DumpRows* rows) {
  if (rows->table() < 0 || static_cast<size_t>(rows->table()) >= tables_.size()) {
    return FieldError("rows.table", "is no index into the tables of the header.");
  }
  ImportedTable* table = &tables_[static_cast<size_t>(rows->table())];
  RETURN_IF_ERROR(EnterRows(*rows, *table));
  for (v1::DumpRow& part : *rows->mutable_rows()) {
    if (joiner_.Add(std::move(part))) {
      RETURN_IF_ERROR(AddRow(joiner_.row(), table));
    } else if (joiner_.failed()) {
      return FieldError("rows", "has a part of a row that does not follow the part before.");
    } else if (DumpRowBytes(joiner_.row()) > RecordStore::kMaxPayloadBytes) {
      return MakeError(Reason::kTooLarge,
                       absl::StrCat("A row of table ", table->schema.name, " has more than ",
                                    RecordStore::kMaxPayloadBytes, " bytes."));
    }
  }
  return absl::OkStatus();
}

// Whose the rows are, and of which table.
absl::Status ImportSink::EnterRows(const v1::DumpRows& rows, const ImportedTable& table) {
  if (joiner_.open() &&
      (row_.table != static_cast<uint32_t>(rows.table()) || rows.tenant() != last_tenant_)) {
    return FieldError("rows", "has a row whose other parts do not follow.");
  }
  if (rows.tenant().empty() && only_tenant_.empty()) {
    row_.tenant.clear();
  } else if (rows.tenant() != last_tenant_ || row_.tenant.empty()) {
    const absl::StatusOr<TenantId> tenant = Tenant(rows.tenant());
    if (!tenant.ok()) {
      return InTable(tenant.status(), table);
    }
    row_.tenant = tenant->value();
  }
  last_tenant_ = rows.tenant();
  row_.table = static_cast<uint32_t>(rows.table());
  return absl::OkStatus();
}

absl::Status ImportSink::AddRow(const v1::DumpRow& wire, ImportedTable* table) {
  RowValues values;
  values.key.assign(wire.key().begin(), wire.key().end());
  const bool ordered = table->sources.size() == static_cast<size_t>(wire.values_size());
  for (int i = 0; i < wire.values_size(); ++i) {
    const v1::DumpValue& value =
        wire.values(ordered ? static_cast<int>(table->sources[static_cast<size_t>(i)]) : i);
    values.values.emplace_back(value.null() ? std::nullopt : std::optional(value.value()));
  }
  absl::StatusOr<Record> record = JoinRecord(table->schema, table->key_order, values);
  if (!record.ok()) {
    return InTable(record.status(), *table);
  }
  row_.record = *std::move(record);
  if (IsKeyValue(table->schema)) {
    const absl::Status within = CheckRecordWrite({.tenant = TenantId::FromStored(row_.tenant),
                                                  .table = table->schema.name,
                                                  .key = row_.record.key,
                                                  .payload = row_.record.payload});
    if (!within.ok()) {
      return InTable(within, *table);
    }
  }
  ++table->rows;
  return file_->Add(row_);
}

absl::Status ImportSink::End(const v1::DumpEnd& end) {
  ended_ = true;
  if (static_cast<size_t>(end.rows_size()) != tables_.size()) {
    return FieldError("end.rows", "needs a count for each table of the header.");
  }
  for (size_t i = 0; i < tables_.size(); ++i) {
    const int64_t counted = end.rows(static_cast<int>(i));
    if (counted != tables_[i].rows) {
      return MakeError(Reason::kShortfall,
                       absl::StrCat("The dump says that table ", tables_[i].schema.name, " has ",
                                    counted, " rows, and ", tables_[i].rows,
                                    " came. Nothing was imported; make the dump again."));
    }
  }
  return file_->Finish({end.rows().begin(), end.rows().end()});
}

absl::Status ImportSink::CreateJob(v1::Job* response) {
  if (!ended_) {
    return MakeError(Reason::kShortfall,
                     "The dump has no end: it was cut off, or what wrote it failed. Nothing was "
                     "imported; make the dump again.");
  }
  if (!call_.request.id.empty()) {
    Digest request;
    request.Add(call_.request.request_digest);
    request.Add(content_.Finish());
    call_.request.request_digest = request.Finish();
  }
  if (!not_next_.ok()) {
    ASSIGN_OR_RETURN(const auto earlier, parts_.state->FindRequest(call_.request));
    if (!earlier.has_value()) {
      return not_next_;
    }
  }
  state::HistoryJob job;
  job.set_kind(state::IMPORT_SNAPSHOT);
  job.set_store(store_->name);
  job.set_lineage(lineage_);
  job.set_dump(file_name_);
  *job.mutable_actor() = call_.actor;
  job.set_reason(call_.reason);
  ASSIGN_OR_RETURN(const state::HistoryJob created,
                   parts_.history_jobs->CreateJob(call_.request, std::move(job), validate_only_));
  if (!validate_only_ && created.dump() == file_name_) {
    file_->Keep();
  }
  *response = ToWire(created);
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<MessageSink> MakeImportSink(const ServiceParts& parts,
                                            const grpc::ServerContextBase* context) {
  return std::make_unique<ImportSink>(parts, context);
}

}  // namespace reinstate
