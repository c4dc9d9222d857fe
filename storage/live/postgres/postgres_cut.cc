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

// The ctids of range `i` of `n`. The first and the last are open, so that none is left out, however
// the heap grew since its pages were counted.
std::string CtidRange(int64_t pages, int i, int n) {
  const auto bound = [pages, n](int at) {
    return absl::StrCat("'(", pages * at / n, ",0)'::pg_catalog.tid");
  };
  std::string condition;
  if (i > 0) {
    absl::StrAppend(&condition, "t.ctid >= ", bound(i));
  }
  if (i + 1 < n) {
    absl::StrAppend(&condition, condition.empty() ? "" : " AND ", "t.ctid < ", bound(i + 1));
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

// Small heaps go, largest first, to the shard that has least to read.
void PostgresCut::HandOut(std::vector<Whole> wholes, std::vector<std::vector<Part>>* shards) {
  std::stable_sort(wholes.begin(), wholes.end(),
                   [](const Whole& a, const Whole& b) { return a.pages > b.pages; });
  std::vector<int64_t> pages(shards->size(), 0);
  for (Whole& whole : wholes) {
    const auto least =
        static_cast<size_t>(std::min_element(pages.begin(), pages.end()) - pages.begin());
    pages[least] += whole.pages + 1;
    (*shards)[least].push_back(std::move(whole.part));
  }
}

// Large heaps are divided evenly.
void PostgresCut::DivideHeaps(uint32_t table, std::vector<std::vector<Part>>* shards,
                              std::vector<Whole>* wholes) const {
  const int count = static_cast<int>(shards->size());
  for (const PgHeap& heap : map().Table(map().plans()[table]).heaps) {
    if (!heap.by_ctid || heap.pages < kPagesToDivide || count == 1) {
      wholes->push_back({.part = {.table = table, .heap = &heap}, .pages = heap.pages});
      continue;
    }
    for (int s = 0; s < count; ++s) {
      (*shards)[static_cast<size_t>(s)].push_back(
          {.table = table, .heap = &heap, .condition = CtidRange(heap.pages, s, count)});
    }
  }
}

void PostgresCut::DivideIntoShards(int max_shards) {
  std::vector<Whole> wholes;
  std::vector<std::vector<Part>> shards(static_cast<size_t>(max_shards));
  for (uint32_t i = 0; i < map().plans().size(); ++i) {
    const PgTablePlan& plan = map().plans()[i];
    const PgTable& table = map().Table(plan);
    if (plan.relation != Relation::kOwned && plan.relation != Relation::kUnresolved) {
      continue;
    }
    if (table.key.empty()) {
      // Its ordinals are counted over all of its rows.
      wholes.push_back({.part = {.table = i}, .pages = table.estimated_bytes / 8192});
      continue;
    }
    DivideHeaps(i, &shards, &wholes);
  }
  HandOut(std::move(wholes), &shards);
  for (std::vector<Part>& shard : shards) {
    if (!shard.empty() || shards_.empty()) {
      shards_.push_back(std::move(shard));
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
