#include "server/rpc/tenant_export.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/dump_parts.h"
#include "reinstate/v1/tenant_service.pb.h"
#include "server/rpc/convert_common.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/row_values.h"

namespace reinstate {
namespace {

class TenantExport final : public StreamSource {
 public:
  TenantExport(ExportOrder order, std::unique_ptr<PointReader> reader, StateStore* state)
      : order_(std::move(order)), reader_(std::move(reader)), state_(state) {}

  ~TenantExport() override {
    if (ordered_ && !ended_) {
      const absl::Status gone =
          MakeError(Reason::kCancelled, "The client went away, or the daemon ends.");
      LogIfLost(Audit("tenant.export_failed", gone));
    }
  }

  TenantExport(const TenantExport&) = delete;
  TenantExport& operator=(const TenantExport&) = delete;

  // Chooses the tables, and puts into the audit that they are asked for.
  absl::Status Prepare();

  absl::Status Start(std::function<void()> /*wake*/) override { return absl::OkStatus(); }
  absl::StatusOr<Produced> Next(google::protobuf::Message* message) override;

 private:
  enum class Step { kHeader, kLabels, kRows, kEnd, kDone };

  absl::Status ChooseTables();
  absl::Status Produce(v1::ExportTenantResponse* response);
  void FillHeader(v1::ExportTenantResponse* response) const;
  // Makes the parts of the next row of the table; false, and on to the next table, if it has none.
  absl::StatusOr<bool> ReadParts();
  // Leaves `*rows` without rows if there are none left.
  absl::Status FillRows(v1::DumpRows* rows);
  absl::StatusOr<bool> ReadRow(v1::DumpRow* row);
  void FillEnd(v1::DumpEnd* end) const;
  absl::Status Audit(const std::string& action, const absl::Status& outcome) const;
  static void LogIfLost(const absl::Status& audited);

  const ExportOrder order_;
  const std::unique_ptr<PointReader> reader_;
  StateStore* const state_;
  TenantManifest manifest_;
  std::vector<CoveredTable> tables_;
  std::vector<int64_t> rows_;  // sent, of each table
  Sum sum_;                    // of what is to be sent, by the manifest
  Step step_ = Step::kHeader;
  bool ordered_ = false;
  bool ended_ = false;

  // Of the table that is being read.
  size_t table_ = 0;
  std::unique_ptr<RecordStream> stream_;
  Record record_;
  RowValues values_;
  std::deque<v1::DumpRow> parts_;  // of a row that is too long for the message at hand
};

absl::Status TenantExport::Prepare() {
  ASSIGN_OR_RETURN(manifest_, reader_->GetTenant(order_.tenant));
  RETURN_IF_ERROR(ChooseTables());
  for (const TableSum& table : manifest_.tables) {
    if (std::any_of(tables_.begin(), tables_.end(),
                    [&](const CoveredTable& chosen) { return chosen.number == table.number; })) {
      sum_ += table.sum;
    }
  }
  rows_.resize(tables_.size());
  RETURN_IF_ERROR(Audit("tenant.export_ordered", absl::OkStatus()));
  ordered_ = true;
  return absl::OkStatus();
}

absl::Status TenantExport::ChooseTables() {
  for (const CoveredTable& table : reader_->snapshot().tables) {
    const bool wanted =
        order_.tables.empty() || std::ranges::count(order_.tables, table.schema.name);
    if (table.owned && wanted) {
      tables_.push_back(table);
    }
  }
  for (const std::string& wanted : order_.tables) {
    if (std::none_of(tables_.begin(), tables_.end(),
                     [&](const CoveredTable& table) { return table.schema.name == wanted; })) {
      return MakeError(Reason::kTableNotFound,
                       absl::StrCat("Snapshot ", order_.point.snapshot(), " has no table ",
                                    Printable(wanted), " whose rows belong to tenants."));
    }
  }
  std::ranges::sort(tables_, {}, [](const CoveredTable& table) { return table.schema.name; });
  return absl::OkStatus();
}

absl::StatusOr<Produced> TenantExport::Next(google::protobuf::Message* message) {
  if (step_ == Step::kDone) {
    return Produced::kEnd;
  }
  const absl::Status produced = Produce(static_cast<v1::ExportTenantResponse*>(message));
  if (!produced.ok() && !ended_) {
    ended_ = true;
    LogIfLost(Audit("tenant.export_failed", produced));
  }
  RETURN_IF_ERROR(produced);
  return Produced::kMessage;
}

absl::Status TenantExport::Produce(v1::ExportTenantResponse* response) {
  if (step_ == Step::kHeader) {
    FillHeader(response);
    step_ = manifest_.labels.empty() ? Step::kRows : Step::kLabels;
    return absl::OkStatus();
  }
  if (step_ == Step::kLabels) {
    response->mutable_labels()->set_tenant(order_.tenant.value());
    response->mutable_labels()->mutable_labels()->Assign(manifest_.labels.begin(),
                                                         manifest_.labels.end());
    step_ = Step::kRows;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(FillRows(response->mutable_rows()));
  if (response->rows().rows_size() > 0) {
    return absl::OkStatus();
  }
  // Before the end goes out: nobody has a complete export that is not in the audit.
  RETURN_IF_ERROR(Audit("tenant.exported", absl::OkStatus()));
  ended_ = true;
  step_ = Step::kDone;
  FillEnd(response->mutable_end());
  return absl::OkStatus();
}

void TenantExport::FillHeader(v1::ExportTenantResponse* response) const {
  ToWire(order_.point, response->mutable_point());
  v1::DumpHeader* header = response->mutable_header();
  const SnapshotInfo& snapshot = reader_->snapshot();
  header->set_store(order_.store);
  header->set_store_identity(snapshot.store_identity);
  ToWire(snapshot.instant, header->mutable_instant());
  header->set_position(snapshot.position);
  header->set_snapshot(snapshot.id.ToString());
  header->set_tenant(order_.tenant.value());
  for (const CoveredTable& table : tables_) {
    v1::DumpTable* wire = header->add_tables();
    wire->set_table(table.schema.name);
    if (IsKeyValue(table.schema)) {
      continue;
    }
    for (const Column& column : table.schema.columns) {
      v1::ColumnInfo* info = wire->add_columns();
      info->set_name(column.name);
      info->set_type(column.type);
      info->set_in_key(column.in_key);
    }
  }
  ToWire(sum_, header->mutable_counts());
}

absl::StatusOr<bool> TenantExport::ReadParts() {
  v1::DumpRow row;
  ASSIGN_OR_RETURN(const bool found, ReadRow(&row));
  if (!found) {
    stream_.reset();
    ++table_;
    return false;
  }
  for (v1::DumpRow& part : SplitDumpRow(std::move(row))) {
    parts_.push_back(std::move(part));
  }
  return true;
}

absl::Status TenantExport::FillRows(v1::DumpRows* rows) {
  size_t bytes = 0;
  while (bytes < kDumpMessageBytes && table_ < tables_.size()) {
    bool found = !parts_.empty();
    if (!found) {
      ASSIGN_OR_RETURN(found, ReadParts());
    }
    // Rows of one message are of one table, and parts of a long row are alone in theirs.
    const bool alone = !found || parts_.size() > 1 || parts_.front().more();
    if (alone && rows->rows_size() > 0) {
      return absl::OkStatus();
    }
    if (!found) {
      continue;
    }
    rows->set_tenant(order_.tenant.value());
    rows->set_table(static_cast<int32_t>(table_));
    bytes += DumpRowBytes(parts_.front());
    const bool more = parts_.front().more();
    *rows->add_rows() = std::move(parts_.front());
    parts_.pop_front();
    if (more) {
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TenantExport::ReadRow(v1::DumpRow* row) {
  if (stream_ == nullptr) {
    ASSIGN_OR_RETURN(stream_, reader_->ReadTable(order_.tenant, tables_[table_].number));
  }
  ASSIGN_OR_RETURN(const bool found, stream_->Next(&record_));
  if (!found) {
    return false;
  }
  RETURN_IF_ERROR(SplitRecord(tables_[table_].schema, record_, &values_));
  ++rows_[table_];
  for (std::string& part : values_.key) {
    row->add_key(std::move(part));
  }
  for (std::optional<std::string>& value : values_.values) {
    v1::DumpValue* wire = row->add_values();
    wire->set_null(!value.has_value());
    if (value.has_value()) {
      wire->set_value(*std::move(value));
    }
  }
  return true;
}

void TenantExport::FillEnd(v1::DumpEnd* end) const {
  end->mutable_rows()->Assign(rows_.begin(), rows_.end());
  ToWire(sum_, end->mutable_counts());
  end->set_sum(Uint128ToHex(sum_.hash));
}

absl::Status TenantExport::Audit(const std::string& action, const absl::Status& outcome) const {
  int64_t sent = 0;
  for (const int64_t rows : rows_) {
    sent += rows;
  }
  AuditDraft draft;
  *draft.mutable_actor() = order_.call.actor;
  draft.set_action(action);
  draft.set_subject(order_.tenant.value());
  draft.set_store(order_.store);
  nlohmann::json details = {{"snapshot", order_.point.snapshot()},
                            {"tables", order_.tables},
                            {"rows_sent", sent},
                            {"reason", order_.call.reason}};
  if (!outcome.ok()) {
    details["failure"] = ReasonOf(outcome);
  }
  draft.set_details(details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return state_->AppendAudit(draft);
}

// The entry of the order is there; that of the end is lost with the disk.
void TenantExport::LogIfLost(const absl::Status& audited) {
  if (!audited.ok()) {
    spdlog::error("end of an export not audited {}: {}", ReasonOf(audited),
                  std::string(audited.message()));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<StreamSource>> MakeTenantExport(ExportOrder order,
                                                               std::unique_ptr<PointReader> reader,
                                                               StateStore* state) {
  auto source = std::make_unique<TenantExport>(std::move(order), std::move(reader), state);
  RETURN_IF_ERROR(source->Prepare());
  return source;
}

}  // namespace reinstate
