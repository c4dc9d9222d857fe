#include "server/rpc/tenant_comparison.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "reinstate/v1/tenant_service.pb.h"
#include "server/rpc/convert_common.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);
constexpr int kRowsBetweenClockReads = 1000;

// A table on either side.
struct ComparedTable {
  std::string name;
  std::string identity;
  std::optional<uint32_t> number;  // in the history, if the snapshot covers it
  bool live = false;
};

// One side's rows, with one row of look-ahead.
class Side {
 public:
  // The rows of `stream`, or none if it is null.
  absl::Status Open(std::unique_ptr<RecordStream> stream) {
    stream_ = std::move(stream);
    return Advance();
  }

  absl::Status Advance() {
    has_row_ = false;
    if (stream_ != nullptr) {
      ASSIGN_OR_RETURN(has_row_, stream_->Next(&row_));
    }
    return absl::OkStatus();
  }

  bool has_row() const { return has_row_; }
  const Record& row() const { return row_; }

 private:
  std::unique_ptr<RecordStream> stream_;
  Record row_;
  bool has_row_ = false;
};

class TenantComparison final : public StreamSource {
 public:
  TenantComparison(ComparisonOrder order, std::unique_ptr<PointReader> reader)
      : order_(std::move(order)), reader_(std::move(reader)) {}

  absl::Status Prepare(LiveStore* live);

  absl::Status Start(std::function<void()> /*wake*/) override { return absl::OkStatus(); }
  absl::StatusOr<Produced> Next(google::protobuf::Message* message) override;

 private:
  absl::Status ChooseTables(const TenantMap& map);
  absl::Status OpenTable();
  void CountRow(bool then, bool now);
  absl::Status CompareRow();
  void CloseTable();
  void Complete(v1::TenantComparison* wire) const;

  const ComparisonOrder order_;
  const std::unique_ptr<PointReader> reader_;
  std::unique_ptr<TenantSession> session_;
  std::vector<ComparedTable> tables_;
  Progress progress_;

  // Of the table that is being compared.
  size_t next_table_ = 0;
  bool open_ = false;
  Side then_;
  Side now_;
  v1::TableComparison counts_;

  std::vector<v1::TableComparison> done_;
  bool sent_ = false;
};

absl::Status TenantComparison::Prepare(LiveStore* live) {
  ASSIGN_OR_RETURN(const TenantManifest manifest, reader_->GetTenant(order_.tenant));
  progress_.total_rows = manifest.rows();
  if (const auto estimate = live->EstimateTenant(order_.tenant); estimate.ok()) {
    progress_.total_rows += estimate->rows;
  }
  ASSIGN_OR_RETURN(session_, live->OpenTenant(order_.tenant, {.purpose = "comparison"}));
  RETURN_IF_ERROR(session_->Begin());
  ASSIGN_OR_RETURN(const TenantMap map, live->Catalog());
  return ChooseTables(map);
}

absl::Status TenantComparison::ChooseTables(const TenantMap& map) {
  std::map<std::string, ComparedTable> by_identity;
  for (const CoveredTable& table : reader_->snapshot().tables) {
    if (table.owned) {
      by_identity[table.schema.identity] = {table.schema.name, table.schema.identity, table.number,
                                            false};
    }
  }
  for (const MappedTable& table : map.tables) {
    if (table.relation == Relation::kOwned) {
      ComparedTable& compared = by_identity[table.schema.identity];
      compared.name = table.schema.name;
      compared.identity = table.schema.identity;
      compared.live = true;
    }
  }
  for (const std::string& wanted : order_.tables) {
    if (std::none_of(by_identity.begin(), by_identity.end(),
                     [&](const auto& entry) { return entry.second.name == wanted; })) {
      return MakeError(Reason::kTableNotFound,
                       absl::StrCat("Table ", Printable(wanted), " is neither in the snapshot nor ",
                                    "an owned table of store ", order_.store, "."));
    }
  }
  for (auto& [identity, table] : by_identity) {
    if (order_.tables.empty() ||
        std::find(order_.tables.begin(), order_.tables.end(), table.name) != order_.tables.end()) {
      tables_.push_back(std::move(table));
    }
  }
  std::sort(tables_.begin(), tables_.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return absl::OkStatus();
}

absl::Status TenantComparison::OpenTable() {
  const ComparedTable& table = tables_[next_table_++];
  progress_.step = absl::StrCat("comparing ", table.name);
  counts_.Clear();
  counts_.set_table(table.name);
  counts_.set_covered(table.number.has_value());
  std::unique_ptr<RecordStream> then;
  std::unique_ptr<RecordStream> now;
  if (table.number.has_value()) {
    ASSIGN_OR_RETURN(then, reader_->ReadTable(order_.tenant, *table.number));
  }
  if (table.live) {
    ASSIGN_OR_RETURN(now, session_->ReadTable(table.identity));
  }
  open_ = true;
  RETURN_IF_ERROR(then_.Open(std::move(then)));
  return now_.Open(std::move(now));
}

void TenantComparison::CountRow(bool then, bool now) {
  progress_.rows += (then ? 1 : 0) + (now ? 1 : 0);
  if (then && now) {
    const bool equal = then_.row().payload == now_.row().payload;
    counts_.set_equal(counts_.equal() + (equal ? 1 : 0));
    counts_.set_differs(counts_.differs() + (equal ? 0 : 1));
  } else if (then) {
    counts_.set_only_in_history(counts_.only_in_history() + 1);
  } else {
    counts_.set_only_live(counts_.only_live() + 1);
  }
}

// Takes the smaller key of both sides.
absl::Status TenantComparison::CompareRow() {
  const bool take_then = then_.has_row() && (!now_.has_row() || then_.row().key <= now_.row().key);
  const bool take_now = now_.has_row() && (!then_.has_row() || now_.row().key <= then_.row().key);
  CountRow(take_then, take_now);
  if (take_then) {
    RETURN_IF_ERROR(then_.Advance());
  }
  return take_now ? now_.Advance() : absl::OkStatus();
}

void TenantComparison::CloseTable() {
  open_ = false;
  if (counts_.equal() + counts_.differs() + counts_.only_in_history() + counts_.only_live() > 0) {
    done_.push_back(counts_);
  }
}

void TenantComparison::Complete(v1::TenantComparison* wire) const {
  wire->mutable_ref()->set_store(order_.store);
  wire->mutable_ref()->set_tenant(order_.tenant.value());
  wire->mutable_ref()->set_label(order_.label);
  ToWire(order_.point, wire->mutable_point());
  bool equal = true;
  for (const v1::TableComparison& table : done_) {
    *wire->add_tables() = table;
    equal = equal && table.differs() + table.only_in_history() + table.only_live() == 0;
  }
  wire->set_equal(equal);
}

absl::StatusOr<Produced> TenantComparison::Next(google::protobuf::Message* message) {
  auto* response = static_cast<v1::CompareTenantResponse*>(message);
  const absl::Time report_at = absl::Now() + kProgressInterval;
  for (int row = 1; !sent_; ++row) {
    if (row % kRowsBetweenClockReads == 0 && absl::Now() >= report_at) {
      ToWire(progress_, response->mutable_progress());
      return Produced::kMessage;
    }
    if (open_ && (then_.has_row() || now_.has_row())) {
      RETURN_IF_ERROR(CompareRow());
    } else if (open_) {
      CloseTable();
    } else if (next_table_ < tables_.size()) {
      RETURN_IF_ERROR(OpenTable());
    } else {
      sent_ = true;
      Complete(response->mutable_comparison());
      return Produced::kMessage;
    }
  }
  return Produced::kEnd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StreamSource>> MakeTenantComparison(
    ComparisonOrder order, std::unique_ptr<PointReader> reader, LiveStore* live) {
  auto comparison = std::make_unique<TenantComparison>(std::move(order), std::move(reader));
  RETURN_IF_ERROR(comparison->Prepare(live));
  return comparison;
}

}  // namespace reinstate
