#include "storage/live/postgres/postgres_cut.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/labels.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

// Heaps with fewer pages are not worth dividing.
constexpr int64_t kPagesToDivide = 256;

constexpr int64_t kPageBytes = 8192;

// The ctids of the pages from `begin` to before `end` of `pages`. The first and the last are open,
// so that none is left out, however the heap grew since its pages were counted.
std::string CtidRange(int64_t begin, int64_t end, int64_t pages) {
  const auto bound = [](int64_t page) { return absl::StrCat("'(", page, ",0)'::pg_catalog.tid"); };
  std::string condition;
  if (begin > 0) {
    absl::StrAppend(&condition, "t.ctid >= ", bound(begin));
  }
  if (end < pages) {
    absl::StrAppend(&condition, condition.empty() ? "" : " AND ", "t.ctid < ", bound(end));
  }
  return condition;
}

class NoLabels final : public TenantLabelsStream {
 public:
  absl::StatusOr<bool> Next(TenantLabels* /*labels*/) override { return false; }
};

// Lines of a tenant's id and its labels.
class LabelsStream final : public TenantLabelsStream {
 public:
  LabelsStream(CutView* view, std::unique_ptr<CutView::Lease> lease)
      : view_(view), lease_(std::move(lease)) {}

  absl::StatusOr<bool> Next(TenantLabels* labels) override {
    while (!ended_) {
      RETURN_IF_ERROR(status_);
      status_ = ReadOne(labels);
      RETURN_IF_ERROR(status_);
      if (!ended_ && !labels->labels.empty()) {
        return true;
      }
    }
    return false;
  }

 private:
  absl::Status ReadOne(TenantLabels* labels) {
    std::string_view line;
    const absl::StatusOr<bool> more = (*lease_)->NextLine(&line);
    if (!more.ok()) {
      return view_->Explain(more.status());
    }
    if (!*more) {
      ended_ = true;
      lease_->set_busy(false);
      return absl::OkStatus();
    }
    SplitCopyLine(line, &fields_);
    labels->labels.clear();
    for (size_t i = 0; i < fields_.size(); ++i) {
      std::string value;
      if (fields_[i] != kCopyNull && !AppendCopyValue(fields_[i], &value)) {
        return MakeError(Reason::kCorrupt,
                         "A label that the server sent is not as COPY writes it.");
      }
      if (i == 0) {
        labels->tenant = TenantId::FromStored(std::move(value));
      } else if (!value.empty() && labels->labels.size() < kMaxLabels) {
        labels->labels.push_back(LabelFromPayload(value));
      }
    }
    return absl::OkStatus();
  }

  CutView* const view_;
  const std::unique_ptr<CutView::Lease> lease_;
  std::vector<std::string_view> fields_;
  bool ended_ = false;
  absl::Status status_;
};

}  // namespace

// Reads the parts of one shard, one after the other.
class PostgresCut::ShardStream final : public TenantRowStream {
 public:
  ShardStream(PostgresCut* cut, const std::vector<Part>* parts,
              std::unique_ptr<CutView::Lease> lease)
      : cut_(cut), parts_(parts), lease_(std::move(lease)) {}

  absl::StatusOr<bool> Next(TenantRow* row) override {
    RETURN_IF_ERROR(status_);
    absl::StatusOr<bool> found = Read(row);
    if (!found.ok()) {
      status_ = cut_->view_->Explain(found.status());
      return status_;
    }
    return found;
  }

 private:
  absl::StatusOr<bool> Read(TenantRow* row) {
    if (cut_->faults_ != nullptr) {
      RETURN_IF_ERROR(cut_->faults_->Hit("live.cut_next"));
    }
    while (part_ < parts_->size()) {
      if (plan_ == nullptr) {
        RETURN_IF_ERROR(Start((*parts_)[part_]));
      }
      std::string_view line;
      ASSIGN_OR_RETURN(const bool more, (*lease_)->NextLine(&line));
      if (more) {
        RETURN_IF_ERROR(Decode(line, row));
        return true;
      }
      lease_->set_busy(false);
      plan_ = nullptr;
      ++part_;
    }
    return false;
  }

  absl::Status Start(const Part& part) {
    const PgTenantMap& map = cut_->map();
    const PgTablePlan& plan = map.plans()[part.table];
    codec_.emplace(map.Layout(plan));
    name_ = map.Table(plan).DisplayName();
    lease_->set_busy(true);
    RETURN_IF_ERROR((*lease_)->StartCopyOut(
        absl::StrCat("read ", name_),
        absl::StrCat("COPY (", map.CutSelect(plan, part.heap, part.condition), ") TO STDOUT")));
    plan_ = &plan;
    return absl::OkStatus();
  }

  absl::Status Decode(std::string_view line, TenantRow* row) {
    row->table = (*parts_)[part_].table;
    if (const absl::Status decoded = codec_->DecodeOwned(line, &row->tenant, &row->record);
        !decoded.ok()) {
      return WithContext(decoded, absl::StrCat("table ", name_));
    }
    if (row->tenant.empty() && plan_->relation == Relation::kOwned && !plan_->ownerless_declared) {
      return cut_->TellOwnerless();
    }
    if (row->tenant.size() > TenantId::kMaxBytes) {
      return MakeError(Reason::kTenantIdInvalid,
                       absl::StrCat("A row of the table ", name_, " has an owner of more than ",
                                    TenantId::kMaxBytes, " bytes."));
    }
    return absl::OkStatus();
  }

  PostgresCut* const cut_;
  const std::vector<Part>* const parts_;
  const std::unique_ptr<CutView::Lease> lease_;
  size_t part_ = 0;
  // Of the part that is being read:
  const PgTablePlan* plan_ = nullptr;
  std::optional<RowCodec> codec_;
  std::string name_;

  absl::Status status_;
};

absl::StatusOr<std::unique_ptr<PostgresCut>> PostgresCut::Open(const PostgresStoreOptions& options,
                                                               int max_shards) {
  if (options.faults != nullptr) {
    RETURN_IF_ERROR(options.faults->Hit("live.open_cut"));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<CutView> view, CutView::Open(options));
  return std::unique_ptr<PostgresCut>(new PostgresCut(options, std::move(view), max_shards));
}

PostgresCut::PostgresCut(const PostgresStoreOptions& options, std::unique_ptr<CutView> view,
                         int max_shards)
    : faults_(options.faults), view_(std::move(view)) {
  info_.instant = view_->instant();
  info_.position = view_->position();
  info_.map = map().ToTenantMap();
  DivideIntoShards(std::max(max_shards, 1));
}

PostgresCut::Dividing PostgresCut::DividingOf(const PgTablePlan& plan, const PgHeap& heap) {
  if (!heap.by_ctid || heap.pages < kPagesToDivide) {
    return Dividing::kNever;
  }
  return plan.path.empty() ? Dividing::kFreely : Dividing::kIfTooLarge;
}

std::vector<PostgresCut::HeapToRead> PostgresCut::HeapsToRead() const {
  std::vector<HeapToRead> heaps;
  for (uint32_t i = 0; i < map().plans().size(); ++i) {
    const PgTablePlan& plan = map().plans()[i];
    const PgTable& table = map().Table(plan);
    if (plan.relation != Relation::kOwned && plan.relation != Relation::kUnresolved) {
      continue;
    }
    if (table.key.empty()) {
      // Its ordinals are counted over all of its rows.
      heaps.push_back({.part = {.table = i},
                       .pages = table.estimated_bytes / kPageBytes,
                       .dividing = Dividing::kNever});
      continue;
    }
    for (const PgHeap& heap : table.heaps) {
      heaps.push_back({.part = {.table = i, .heap = &heap},
                       .pages = heap.pages,
                       .dividing = DividingOf(plan, heap)});
    }
  }
  return heaps;
}

void PostgresCut::DivideIntoShards(int max_shards) {
  std::vector<HeapToRead> heaps = HeapsToRead();
  std::stable_sort(heaps.begin(), heaps.end(), [](const HeapToRead& a, const HeapToRead& b) {
    return std::pair(a.dividing, b.pages) < std::pair(b.dividing, a.pages);
  });
  std::vector<Shard> shards(static_cast<size_t>(max_shards));
  int64_t fair = 0;  // pages for each shard
  for (const HeapToRead& heap : heaps) {
    fair += heap.pages / max_shards + 1;
  }
  std::vector<HeapToRead> divided;
  for (HeapToRead& heap : heaps) {
    Shard& least = *std::ranges::min_element(shards, {}, &Shard::pages);
    const bool whole = heap.dividing == Dividing::kNever || max_shards == 1 ||
                       (heap.dividing == Dividing::kIfTooLarge && least.pages + heap.pages <= fair);
    if (whole) {
      least.pages += heap.pages + 1;
      least.parts.push_back(std::move(heap.part));
    } else {
      divided.push_back(std::move(heap));
    }
  }
  DivideHeaps(divided, fair, &shards);
  for (Shard& shard : shards) {
    if (!shard.parts.empty() || shards_.empty()) {
      shards_.push_back(std::move(shard.parts));
    }
  }
}

void PostgresCut::DivideHeaps(const std::vector<HeapToRead>& heaps, int64_t fair,
                              std::vector<Shard>* shards) {
  std::vector<double> until;  // which part of all room is up to and with this shard
  double room = 0;
  for (const Shard& shard : *shards) {
    room += static_cast<double>(std::max<int64_t>(fair - shard.pages, 0));
    until.push_back(room);
  }
  for (const HeapToRead& heap : heaps) {
    int64_t begin = 0;
    for (size_t s = 0; s < shards->size(); ++s) {
      const auto share = static_cast<int64_t>(static_cast<double>(heap.pages) * until[s] / room);
      const int64_t end = s + 1 == shards->size() ? heap.pages : share;
      if (begin == end) {
        continue;
      }
      Part part = heap.part;
      part.condition = CtidRange(begin, end, heap.pages);
      (*shards)[s].parts.push_back(std::move(part));
      begin = end;
    }
  }
}

absl::StatusOr<std::unique_ptr<TenantRowStream>> PostgresCut::OpenShard(int shard) {
  if (shard < 0 || shard >= shards()) {
    return MakeError(Reason::kInvalidArgument, absl::StrCat("the cut has no shard ", shard));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<CutView::Lease> lease, view_->Take());
  return std::make_unique<ShardStream>(this, &shards_[static_cast<size_t>(shard)],
                                       std::move(lease));
}

absl::StatusOr<int64_t> PostgresCut::CountRows(uint32_t table) {
  if (table >= map().plans().size()) {
    return MakeError(Reason::kTableNotFound, absl::StrCat("the cut has no table ", table));
  }
  const PgTable& counted = map().Table(map().plans()[table]);
  ASSIGN_OR_RETURN(const std::unique_ptr<CutView::Lease> lease, view_->Take());
  const absl::StatusOr<PgResult> result = (*lease)->Query(
      absl::StrCat("count the rows of ", counted.DisplayName()),
      absl::StrCat("SELECT count(*) FROM ", counted.kind == 'p' ? "" : "ONLY ", counted.Sql()));
  if (!result.ok()) {
    return view_->Explain(result.status());
  }
  return result->GetInt(0, 0);
}

absl::StatusOr<std::unique_ptr<TenantLabelsStream>> PostgresCut::OpenLabels() {
  const PgTable* const table = map().catalog().FindByName(map().config().tenant_table);
  if (table == nullptr || map().config().label_columns.empty()) {
    return std::make_unique<NoLabels>();
  }
  const PgTablePlan& plan = *map().Find(absl::StrCat(table->oid));
  const std::string owner = map().OwnerTextSql(plan);
  std::string select = absl::StrCat("SELECT ", owner);
  for (const std::string& column : map().config().label_columns) {
    absl::StrAppend(&select, ", t.", QuoteIdentifier(column));
  }
  absl::StrAppend(&select, " FROM ", map().FromSql(plan), " WHERE ", owner, " <> '' ORDER BY (",
                  owner, ") COLLATE \"C\"");
  ASSIGN_OR_RETURN(std::unique_ptr<CutView::Lease> lease, view_->Take());
  lease->set_busy(true);
  RETURN_IF_ERROR(view_->Explain(
      (*lease)->StartCopyOut(absl::StrCat("read the labels from ", table->DisplayName()),
                             absl::StrCat("COPY (", select, ") TO STDOUT"))));
  return std::make_unique<LabelsStream>(view_.get(), std::move(lease));
}

// Another connection counts them, since this one is busy with the stream. All such tables are told
// at once: whoever has to declare them would not like to learn of each by a snapshot that failed.
absl::Status PostgresCut::TellOwnerless() const {
  ASSIGN_OR_RETURN(const std::unique_ptr<CutView::Lease> lease, view_->Take());
  std::vector<std::string> found;
  std::vector<std::string> names;
  for (const PgTablePlan& plan : map().plans()) {
    if (plan.relation != Relation::kOwned || plan.ownerless_declared) {
      continue;
    }
    const std::string name = map().Table(plan).DisplayName();
    ASSIGN_OR_RETURN(const PgResult result,
                     (*lease)->Query(absl::StrCat("count the ownerless rows of ", name),
                                     absl::StrCat("SELECT count(*) FROM ", map().FromSql(plan),
                                                  " WHERE ", map().OwnerSql(plan), " IS NULL")));
    if (const int64_t rows = result.GetInt(0, 0); rows > 0) {
      found.push_back(absl::StrCat(name, " (", rows, ", by ", plan.how, ")"));
      names.push_back(absl::StrCat("\"", name, "\""));
    }
  }
  return MakeError(
      Reason::kTableUnresolved,
      absl::StrCat("Rows that belong to no tenant are in ", absl::StrJoin(found, "; "),
                   ". If that is right, declare it with ownerless = [", absl::StrJoin(names, ", "),
                   "] in the configuration of the store; they are then kept as rows of nobody."));
}

}  // namespace reinstate
