#include "storage/live/remote/remote_cut.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/remote/payload_parts.h"
#include "storage/live/remote/response_stream.h"
#include "storage/live/remote/wire_status.h"
#include "storage/live/remote/wire_values.h"

namespace reinstate {
namespace {

using live_wire::ProtocolBroken;
using std::chrono::steady_clock;
using Stub = v1::LiveStoreService::Stub;

// Within a shard, if the cut is ordered: ascending by tenant, table and key.
class RowOrder {
 public:
  absl::Status Check(const v1::CutRow& row) {
    const uint32_t table = row.table();
    if (any_ && std::tie(row.tenant(), table, row.key()) <= std::tie(tenant_, table_, key_)) {
      return ProtocolBroken("the rows of a cut that is ordered by tenant are not in order");
    }
    if (!any_) {
      first_tenant_ = row.tenant();
    }
    any_ = true;
    tenant_ = row.tenant();
    table_ = table;
    key_ = row.key();
    return absl::OkStatus();
  }

  bool any() const { return any_; }
  const std::string& first_tenant() const { return first_tenant_; }
  const std::string& last_tenant() const { return tenant_; }

 private:
  bool any_ = false;
  std::string first_tenant_;
  std::string tenant_;
  uint32_t table_ = 0;
  std::string key_;
};

// Whether `row` can be one of the cut: of a captured table, and of somebody if that is owned.
absl::Status CheckRow(const TenantMap& map, const v1::CutRow& row) {
  if (row.table() >= map.tables.size()) {
    return ProtocolBroken(absl::StrCat("a row is of table ", row.table(), ", which there is not"));
  }
  const MappedTable& table = map.tables[row.table()];
  if (table.relation != Relation::kOwned && table.relation != Relation::kUnresolved) {
    return ProtocolBroken(absl::StrCat("a row is of table \"", Printable(table.schema.name),
                                       "\", which is not captured"));
  }
  if (row.tenant().empty()) {
    return absl::OkStatus();
  }
  if (table.relation == Relation::kUnresolved) {
    return ProtocolBroken(absl::StrCat("a row of the unresolved table \"",
                                       Printable(table.schema.name), "\" has a tenant"));
  }
  const absl::Status tenant = TenantId::Parse(row.tenant()).status();
  return tenant.ok() ? tenant : ProtocolBroken(absl::StrCat("a tenant: ", tenant.message()));
}

class ShardStream final : public TenantRowStream {
 public:
  using Rows = ResponseStream<v1::ReadCutShardResponse, v1::CutRow>;

  ShardStream(const CutInfo* info, size_t max_payload_bytes, ShardRanges* ranges, int shard,
              std::unique_ptr<Rows> rows)
      : info_(info),
        ranges_(ranges),
        shard_(shard),
        payload_(max_payload_bytes),
        rows_(std::move(rows)) {}

  absl::StatusOr<bool> Next(TenantRow* row) override {
    RETURN_IF_ERROR(status_);
    absl::StatusOr<bool> found = Read(row);
    status_ = found.status();
    return found;
  }

 private:
  absl::StatusOr<bool> Read(TenantRow* row) {
    while (true) {
      ASSIGN_OR_RETURN(v1::CutRow* const entry, rows_->Next());
      if (entry == nullptr) {
        return End();
      }
      RETURN_IF_ERROR(CheckEntry(*entry));
      if (!payload_.continues()) {
        row->tenant = std::move(*entry->mutable_tenant());
        row->table = entry->table();
        row->record.key = RowKey(std::move(*entry->mutable_key()));
      }
      ASSIGN_OR_RETURN(const bool complete,
                       payload_.Add(entry->mutable_payload(), entry->more(), &row->record.payload));
      if (complete) {
        return true;
      }
    }
  }

  absl::Status CheckEntry(const v1::CutRow& entry) {
    if (payload_.continues()) {
      const bool is_bare = entry.tenant().empty() && entry.table() == 0 && entry.key().empty();
      return is_bare ? absl::OkStatus() : ProtocolBroken("a part of a row has a key again");
    }
    RETURN_IF_ERROR(CheckRow(info_->map, entry));
    return info_->ordered_by_tenant ? order_.Check(entry) : absl::OkStatus();
  }

  absl::StatusOr<bool> End() {
    if (payload_.continues()) {
      return ProtocolBroken("a shard ends within a row");
    }
    if (order_.any()) {
      RETURN_IF_ERROR(ranges_->Add(shard_, order_.first_tenant(), order_.last_tenant()));
    }
    return false;
  }

  const CutInfo* const info_;
  ShardRanges* const ranges_;
  const int shard_;
  live_wire::PayloadJoiner payload_;
  const std::unique_ptr<Rows> rows_;
  RowOrder order_;
  absl::Status status_;
};

class LabelsStream final : public TenantLabelsStream {
 public:
  using Tenants = ResponseStream<v1::ReadCutLabelsResponse, v1::TenantLabels>;

  explicit LabelsStream(std::unique_ptr<Tenants> tenants) : tenants_(std::move(tenants)) {}

  absl::StatusOr<bool> Next(TenantLabels* labels) override {
    RETURN_IF_ERROR(status_);
    absl::StatusOr<bool> found = Read(labels);
    status_ = found.status();
    return found;
  }

 private:
  absl::StatusOr<bool> Read(TenantLabels* labels) {
    ASSIGN_OR_RETURN(const v1::TenantLabels* const entry, tenants_->Next());
    if (entry == nullptr) {
      return false;
    }
    ASSIGN_OR_RETURN(*labels, live_wire::FromWire(*entry));
    if (labels->tenant.value() <= last_) {
      return ProtocolBroken("the tenants with labels do not ascend");
    }
    last_ = labels->tenant.value();
    return true;
  }

  const std::unique_ptr<Tenants> tenants_;
  std::string last_;
  absl::Status status_;
};

}  // namespace

absl::Status ShardRanges::Add(int shard, const std::string& first, const std::string& last) {
  MutexLock lock(&mu_);
  const auto [place, is_new] = ranges_.insert_or_assign(shard, Range{first, last});
  const auto after = std::next(place);
  const bool overlaps_before = place != ranges_.begin() && std::prev(place)->second.last >= first;
  const bool overlaps_after = after != ranges_.end() && after->second.first <= last;
  return overlaps_before || overlaps_after
             ? ProtocolBroken("the shards of a cut that is ordered by tenant overlap")
             : absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Cut>> RemoteCut::Open(Stub* stub, const RemoteStoreOptions& options,
                                                     const CutOptions& cut) {
  v1::OpenCutRequest request;
  request.set_store(options.store);
  request.set_max_shards(cut.max_shards);
  live_wire::ToWire(options.lease, request.mutable_lease());
  v1::OpenCutResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options.call_timeout));
  RETURN_IF_ERROR(live_wire::FromGrpcStatus(stub->OpenCut(&context, request, &response)));
  ASSIGN_OR_RETURN(const absl::Duration lease, live_wire::LeaseFromWire(response.lease()));
  // No make_unique: the constructor is private. From here on the cut is closed by the destructor.
  std::unique_ptr<RemoteCut> opened(new RemoteCut(stub, options, response.cut(), lease));
  RETURN_IF_ERROR(opened->TakeInfo(response, cut));
  return opened;
}

RemoteCut::RemoteCut(Stub* stub, const RemoteStoreOptions& options, std::string id,
                     absl::Duration lease)
    : stub_(stub),
      options_(options),
      id_(std::move(id)),
      lease_(lease),
      last_kept_(steady_clock::now()),
      keeper_(std::make_unique<PeriodicThread>(lease / 4, [this] { Keep(); })) {}

RemoteCut::~RemoteCut() {
  calls_.End(MakeError(Reason::kSessionLost, "the cut is closed"));
  keeper_ = nullptr;
  v1::CloseCutRequest request;
  request.set_cut(id_);
  v1::CloseCutResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + lease_));
  // If it does not get there, the lease ends the cut.
  stub_->CloseCut(&context, request, &response);
}

absl::Status RemoteCut::TakeInfo(const v1::OpenCutResponse& response, const CutOptions& cut) {
  if (response.cut().empty() || response.shards() < 1 || response.shards() > cut.max_shards) {
    return ProtocolBroken(absl::StrCat("a cut has no name, or ", response.shards(), " shards of ",
                                       cut.max_shards, " that were asked for"));
  }
  shards_ = response.shards();
  ASSIGN_OR_RETURN(info_.instant, live_wire::FromWire(response.instant()));
  info_.position = Printable(response.position(), 1024);
  ASSIGN_OR_RETURN(info_.map, live_wire::FromWire(response.catalog()));
  info_.ordered_by_tenant = response.ordered_by_tenant();
  return absl::OkStatus();
}

void RemoteCut::Keep() {
  v1::KeepCutRequest request;
  request.set_cut(id_);
  v1::KeepCutResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + lease_ / 4));
  const CallGroup::Member member(&calls_, &context);
  const auto now = steady_clock::now();
  const absl::Status status =
      live_wire::FromGrpcStatus(stub_->KeepCut(&context, request, &response));
  if (status.ok()) {
    last_kept_ = now;
  } else if (HasReason(status, Reason::kSessionLost)) {
    calls_.End(status);
  } else if (absl::FromChrono(steady_clock::now() - last_kept_) > lease_) {
    calls_.End(MakeError(
        Reason::kSessionLost,
        absl::StrCat("the store's server has not been heard for ", absl::FormatDuration(lease_),
                     "; the cut counts as lost: ", status.message())));
  }
}

absl::StatusOr<std::unique_ptr<TenantRowStream>> RemoteCut::OpenShard(int shard) {
  if (shard < 0 || shard >= shards_) {
    return MakeError(Reason::kInvalidArgument, absl::StrCat("the cut has no shard ", shard));
  }
  v1::ReadCutShardRequest request;
  request.set_cut(id_);
  request.set_shard(shard);
  auto rows = std::make_unique<ShardStream::Rows>(
      &calls_, [&](grpc::ClientContext* context) { return stub_->ReadCutShard(context, request); },
      [](v1::ReadCutShardResponse* response) { return response->mutable_rows(); });
  return std::make_unique<ShardStream>(&info_, options_.max_payload_bytes, &ranges_, shard,
                                       std::move(rows));
}

absl::StatusOr<int64_t> RemoteCut::CountRows(uint32_t table) {
  v1::CountCutRowsRequest request;
  request.set_cut(id_);
  request.set_table(table);
  v1::CountCutRowsResponse response;
  // No deadline: how long it takes depends on the store, and the keeper notices if it is gone.
  grpc::ClientContext context;
  const CallGroup::Member member(&calls_, &context);
  const absl::Status status =
      live_wire::FromGrpcStatus(stub_->CountCutRows(&context, request, &response));
  if (!status.ok()) {
    const absl::Status ended = calls_.ended();
    return ended.ok() ? status : ended;
  }
  if (response.rows() < 0) {
    return ProtocolBroken("a table has a negative number of rows");
  }
  return response.rows();
}

absl::StatusOr<std::unique_ptr<TenantLabelsStream>> RemoteCut::OpenLabels() {
  v1::ReadCutLabelsRequest request;
  request.set_cut(id_);
  return std::make_unique<LabelsStream>(std::make_unique<LabelsStream::Tenants>(
      &calls_, [&](grpc::ClientContext* context) { return stub_->ReadCutLabels(context, request); },
      [](v1::ReadCutLabelsResponse* response) { return response->mutable_tenants(); }));
}

}  // namespace reinstate
