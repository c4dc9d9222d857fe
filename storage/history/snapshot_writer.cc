#include "storage/history/snapshot_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/parallel.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/history/history_status.h"
#include "storage/history/key_codec.h"
#include "storage/history/range_merger.h"
#include "storage/history/root_codec.h"
#include "storage/history/sealed_value.h"
#include "storage/history/sst_sink.h"

namespace reinstate {
namespace {

// What a merge needs for each run that it reads: a block, and where to begin.
constexpr int64_t kBytesPerMergedRun = 320 << 10;
constexpr int64_t kMinBudgetPerSorter = 64 << 10;

absl::Status TellCountMismatch(const TableBinding::Table& table, int64_t counted, int64_t read) {
  return MakeError(
      Reason::kShortfall,
      absl::StrCat("The store counts ", counted, " rows in table ", table.name, ", and ", read,
                   " were read. No snapshot was taken, so that missing rows do not pass for ",
                   "deleted ones. Check the store's health, then try again."));
}

std::string Rfc3339(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
}

}  // namespace

SnapshotWriter::SnapshotWriter(const Environment& environment, const SnapshotRequest& request,
                               SnapshotSource* source)
    : env_(environment), request_(request), source_(source) {}

absl::StatusOr<SnapshotInfo> SnapshotWriter::Take() {
  RETURN_IF_ERROR(LoadPrevious());
  RETURN_IF_ERROR(CheckInstant());
  ASSIGN_OR_RETURN(tables_, TableBinding::Bind(request_.map, previous_));
  watch_.emplace(WorkCallbacks{.progress = request_.progress, .cancelled = request_.cancelled},
                 previous_.sum().rows());
  RETURN_IF_ERROR(SpillLabels());
  const bool ordered = source_->ordered_by_tenant() && tables_->numbers_ascend();
  ASSIGN_OR_RETURN(const std::vector<Part> parts, ordered ? OrderedParts() : SortedParts());
  watch_->BeginStep(ordered ? "reading" : "merging");
  ASSIGN_OR_RETURN(const Merged merged, Merge(parts));
  RETURN_IF_ERROR(CheckCounts(merged));
  RETURN_IF_ERROR(watch_->CheckCancelled());
  watch_->BeginStep("adding");
  ASSIGN_OR_RETURN(SnapshotInfo info, Add(merged));
  env_.catalog->Add(info);
  return info;
}

absl::Status SnapshotWriter::LoadPrevious() {
  if (!env_.catalog->HasLineage(request_.lineage)) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("There is no lineage ", request_.lineage, " in the history."));
  }
  const SnapshotId last{.lineage = request_.lineage,
                        .version = env_.catalog->LastVersion(request_.lineage)};
  id_ = {.lineage = request_.lineage, .version = last.version + 1};
  if (last.version == 0) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::optional<StoredRoot> stored, ReadRoot(*env_.db, last));
  if (!stored.has_value()) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("The root of snapshot ", last.ToString(), " is gone."));
  }
  previous_ = std::move(stored->root);
  return absl::OkStatus();
}

absl::Status SnapshotWriter::CheckInstant() const {
  if (request_.accept_clock_jump) {
    return absl::OkStatus();
  }
  const absl::Time previous = absl::FromUnixMicros(previous_.instant_us());
  if (id_.version > 1 && request_.instant < previous) {
    return MakeError(Reason::kClockJumped,
                     absl::StrCat("The store's clock says ", Rfc3339(request_.instant),
                                  ", which is before the last snapshot (", Rfc3339(previous),
                                  "). Set the clock right, or accept the jump."));
  }
  const absl::Time now = env_.clock->Now();
  if (absl::AbsDuration(request_.instant - now) > request_.max_clock_skew) {
    return MakeError(Reason::kClockJumped,
                     absl::StrCat("The store's clock says ", Rfc3339(request_.instant),
                                  " and this machine's says ", Rfc3339(now),
                                  ". Set them right, or accept the jump."));
  }
  return absl::OkStatus();
}

absl::Status SnapshotWriter::SpillLabels() {
  ASSIGN_OR_RETURN(const std::unique_ptr<TenantLabelsStream> stream, source_->OpenLabels());
  ASSIGN_OR_RETURN(labels_, LabelsFile::Write(env_.db, request_.lineage, stream.get()));
  return absl::OkStatus();
}

// Each shard is a range of tenants; where one ends is where the next one's first row is.
absl::StatusOr<std::vector<SnapshotWriter::Part>> SnapshotWriter::OrderedParts() {
  const std::string lineage_begin = KeyCodec::LineagePrefix(request_.lineage);
  const std::string lineage_end = KeyCodec::PrefixEnd(lineage_begin);
  std::vector<Part> parts;
  std::vector<OrderedShardRows*> shards;
  for (int shard = 0; shard < source_->shards(); ++shard) {
    ASSIGN_OR_RETURN(std::unique_ptr<TenantRowStream> stream, source_->OpenShard(shard));
    auto rows = std::make_unique<OrderedShardRows>(std::move(stream),
                                                   RowKeyer(request_.lineage, &*tables_));
    ASSIGN_OR_RETURN(const bool any, rows->Peek());
    if (!any && !(parts.empty() && shard + 1 == source_->shards())) {
      continue;
    }
    shards.push_back(rows.get());
    std::string begin = parts.empty()
                            ? lineage_begin
                            : KeyCodec::TenantPrefix(request_.lineage, rows->peeked().tenant);
    parts.push_back({.rows = std::move(rows), .begin = std::move(begin), .end = lineage_end});
  }
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    parts[i].end = parts[i + 1].begin;
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    shards[i]->SetBounds(parts[i].begin, parts[i].end);
  }
  return parts;
}

absl::StatusOr<std::vector<SnapshotWriter::Part>> SnapshotWriter::SortedParts() {
  watch_->BeginStep("reading");
  const int sorters = std::clamp(source_->shards(), 1, env_.threads);
  std::vector<std::unique_ptr<RowSorter>> free;
  free.reserve(sorters);
  for (int i = 0; i < sorters; ++i) {
    free.push_back(std::make_unique<RowSorter>(
        env_.db, std::max(env_.memory_budget_bytes / sorters, kMinBudgetPerSorter)));
  }
  // Shard i goes to sorter i modulo their number.
  std::vector<std::function<absl::Status()>> tasks;
  tasks.reserve(sorters);
  for (int i = 0; i < sorters; ++i) {
    tasks.emplace_back([this, i, sorters, sorter = free[i].get()]() -> absl::Status {
      for (int shard = i; shard < source_->shards(); shard += sorters) {
        RETURN_IF_ERROR(watch_->StopIfFailed(SortShard(shard, sorter)));
      }
      return watch_->StopIfFailed(sorter->Finish());
    });
  }
  RETURN_IF_ERROR(RunInParallel(sorters, tasks));
  std::vector<std::string> samples;
  for (const std::unique_ptr<RowSorter>& sorter : free) {
    runs_.insert(runs_.end(), sorter->runs().begin(), sorter->runs().end());
    samples.insert(samples.end(), sorter->samples().begin(), sorter->samples().end());
  }
  free.clear();
  const int64_t max_runs = env_.memory_budget_bytes / env_.threads / kBytesPerMergedRun;
  RETURN_IF_ERROR(ReduceRuns(env_.db, static_cast<size_t>(std::max<int64_t>(max_runs, 4)), &runs_));
  std::vector<Part> parts = DivideBySamples(std::move(samples));
  for (Part& part : parts) {
    ASSIGN_OR_RETURN(part.rows, MergeRuns(*env_.db, runs_, part.begin, part.end));
  }
  return parts;
}

absl::Status SnapshotWriter::SortShard(int shard, RowSorter* sorter) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TenantRowStream> stream, source_->OpenShard(shard));
  RowKeyer keyer(request_.lineage, &*tables_);
  RunWatch::Tally tally(&*watch_);
  TenantRow row;
  std::string group;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, stream->Next(&row));
    if (!found) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(keyer.MakeGroup(row, &group));
    RETURN_IF_ERROR(sorter->Add(group, row.record.payload));
    RETURN_IF_ERROR(tally.CountRow(RecordBytes(row.record)));
  }
}

// Ranges of about the same size, each tenant within one.
std::vector<SnapshotWriter::Part> SnapshotWriter::DivideBySamples(
    std::vector<std::string> samples) const {
  std::ranges::sort(samples);
  std::vector<Part> parts(1);
  parts[0].begin = KeyCodec::LineagePrefix(request_.lineage);
  for (int i = 1; i < env_.threads && !samples.empty(); ++i) {
    KeyCodec::RecordGroup sample;
    const auto middle = samples.begin() + static_cast<int64_t>(samples.size()) * i / env_.threads;
    KeyCodec::ParseRecordGroup(*middle, &sample);
    // Before the tenant or after it, whichever is nearer.
    std::string boundary = KeyCodec::TenantPrefix(request_.lineage, sample.tenant);
    std::string after = KeyCodec::PrefixEnd(boundary);
    if (middle - std::ranges::lower_bound(samples, boundary) >
        std::ranges::lower_bound(samples, after) - middle) {
      boundary = std::move(after);
    }
    if (boundary > parts.back().begin) {
      parts.back().end = boundary;
      parts.push_back({.rows = nullptr, .begin = std::move(boundary), .end = ""});
    }
  }
  parts.back().end = KeyCodec::PrefixEnd(KeyCodec::LineagePrefix(request_.lineage));
  return parts;
}

absl::StatusOr<SnapshotWriter::Merged> SnapshotWriter::Merge(const std::vector<Part>& parts) {
  const MergeTarget target{
      .db = env_.db, .hasher = env_.hasher, .lineage = request_.lineage, .version = id_.version};
  std::vector<std::unique_ptr<RangeMerger>> mergers;
  std::vector<std::function<absl::Status()>> tasks;
  for (const Part& part : parts) {
    mergers.push_back(
        std::make_unique<RangeMerger>(target, RangeMerger::Inputs{.rows = part.rows.get(),
                                                                  .labels = &*labels_,
                                                                  .tables = &*tables_,
                                                                  .watch = &*watch_,
                                                                  .faults = env_.faults,
                                                                  .begin = part.begin,
                                                                  .end = part.end}));
    tasks.emplace_back(
        [this, merger = mergers.back().get()] { return watch_->StopIfFailed(merger->Run()); });
  }
  // Each thread that has merged its part counts, while others still merge.
  Merged merged;
  merged.counts.resize(tables_->covered().size());
  for (size_t i = 0; i < merged.counts.size(); ++i) {
    tasks.emplace_back([this, i, counted = &merged.counts[i]]() -> absl::Status {
      RETURN_IF_ERROR(watch_->CheckCancelled());
      const absl::StatusOr<int64_t> rows = source_->CountRows(tables_->covered()[i].map_index);
      *counted = rows.value_or(0);
      return watch_->StopIfFailed(rows.status());
    });
  }
  RETURN_IF_ERROR(RunInParallel(env_.threads, tasks));
  for (const std::unique_ptr<RangeMerger>& merger : mergers) {
    merged.totals += merger->totals();
    for (const auto& [table, rows] : merger->rows_by_table()) {
      merged.rows_by_table[table] += rows;
    }
    const SstSink& records = merger->records();
    const SstSink& manifests = merger->manifests();
    merged.records.insert(merged.records.end(), records.files().begin(), records.files().end());
    merged.manifests.insert(merged.manifests.end(), manifests.files().begin(),
                            manifests.files().end());
    merged.file_bytes += records.file_bytes() + manifests.file_bytes();
  }
  return merged;
}

absl::Status SnapshotWriter::CheckCounts(const Merged& merged) const {
  for (size_t i = 0; i < merged.counts.size(); ++i) {
    const TableBinding::Table& table = tables_->covered()[i];
    const auto found = merged.rows_by_table.find(table.number);
    const int64_t read = found == merged.rows_by_table.end() ? 0 : found->second;
    if (merged.counts[i] != read) {
      return TellCountMismatch(table, merged.counts[i], read);
    }
  }
  return absl::OkStatus();
}

history::Collapse SnapshotWriter::FindCollapse(const TenantTotals& totals) const {
  const CollapseThresholds& thresholds = request_.collapse;
  const auto earlier = static_cast<double>(previous_.tenants());
  const auto exceeds = [&](int64_t tenants, double fraction) {
    return tenants >= thresholds.min_tenants && static_cast<double>(tenants) > fraction * earlier;
  };
  history::Collapse collapse;
  collapse.set_vanished_tenants(totals.vanished);
  collapse.set_shrunken_tenants(totals.shrunken);
  collapse.set_marked(exceeds(totals.vanished, thresholds.vanished_fraction) ||
                      exceeds(totals.shrunken, thresholds.shrunken_fraction));
  return collapse;
}

absl::StatusOr<std::vector<HistoryDb::StagedTable>> SnapshotWriter::WriteSchemas(
    int64_t* file_bytes) {
  std::map<std::string, std::string> missing;
  for (const TableBinding::Table& table : tables_->covered()) {
    ASSIGN_OR_RETURN(const std::optional<std::string> known,
                     env_.db->Get(Family::kSchemas, table.schema_hash));
    if (!known.has_value()) {
      missing[table.schema_hash] = table.schema_body;
    }
  }
  SstSink sink(env_.db, env_.db->TableOptions(Family::kSchemas), "schemas");
  for (auto& [hash, body] : missing) {
    Seal(hash, &body);
    RETURN_IF_ERROR(sink.Put(hash, body));
  }
  RETURN_IF_ERROR(sink.Finish());
  *file_bytes = sink.file_bytes();
  return sink.files();
}

history::Root SnapshotWriter::MakeRoot(const Merged& merged) const {
  history::Root root;
  root.set_instant_us(absl::ToUnixMicros(request_.instant));
  root.set_position(request_.position);
  root.set_store_identity(request_.store_identity);
  root.set_map_digest(request_.map.Digest());
  root.set_job(request_.job);
  tables_->FillRoot(&root);
  root.set_tenants(merged.totals.tenants);
  root.set_ownerless_rows(merged.totals.ownerless_rows);
  *root.mutable_sum() = SumToProto(merged.totals.sum);
  root.set_manifests_high(static_cast<uint64_t>(merged.totals.manifests_hash >> 64));
  root.set_manifests_low(static_cast<uint64_t>(merged.totals.manifests_hash));
  *root.mutable_collapse() = FindCollapse(merged.totals);
  return root;
}

absl::StatusOr<SnapshotInfo> SnapshotWriter::Add(const Merged& merged) {
  int64_t schema_bytes = 0;
  ASSIGN_OR_RETURN(std::vector<HistoryDb::StagedTable> schemas, WriteSchemas(&schema_bytes));
  history::Root root = MakeRoot(merged);
  root.set_added_bytes(merged.file_bytes + schema_bytes);
  const std::string key = KeyCodec::RootKey(id_);
  std::string value = root.SerializeAsString();
  ASSIGN_OR_RETURN(const StoredRoot stored, DecodeRoot(value));
  SnapshotInfo info = RootFacts(id_, stored);
  info.tables = tables_->CoveredTables(request_.map);
  Seal(key, &value);
  SstSink roots(env_.db, env_.db->TableOptions(Family::kRoots), "root");
  RETURN_IF_ERROR(roots.Put(key, value));
  RETURN_IF_ERROR(roots.Finish());
  RETURN_IF_ERROR(HitFault("history.before_ingest"));
  RETURN_IF_ERROR(env_.db->Ingest({{.family = Family::kRecords, .files = merged.records},
                                   {.family = Family::kManifests, .files = merged.manifests},
                                   {.family = Family::kSchemas, .files = std::move(schemas)},
                                   {.family = Family::kRoots, .files = roots.files()}}));
  // The snapshot is there, so this place can only end or hold up the process, not fail.
  HitFault("history.after_ingest").IgnoreError();
  return info;
}

absl::Status SnapshotWriter::HitFault(const char* place) const {
  return env_.faults == nullptr ? absl::OkStatus() : env_.faults->Hit(place);
}

}  // namespace reinstate
