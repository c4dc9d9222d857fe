#include "storage/live/rocksdb/embedded_cut.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/labels.h"
#include "storage/live/rocksdb/range_reader.h"
#include "storage/rocks/rocksdb_status.h"

namespace reinstate {
namespace {

using Codec = EmbeddedKeyCodec;

// Tenants whose ranges are measured to find where shards begin.
constexpr size_t kMaxSamples = 1024;

absl::Status Malformed() {
  return MakeError(Reason::kCorrupt, "a key of the embedded store is malformed");
}

// Goes through the tenants of a snapshot and, for each, stands before its present generation.
class TenantWalker {
 public:
  TenantWalker(const EmbeddedDb* db, const SnapshotPtr& snapshot, const std::string& begin,
               const std::string& end)
      : heads_(db, db->heads(), {.snapshot = snapshot, .begin = begin, .end = end}),
        records_(db, db->records(), {.snapshot = snapshot, .begin = RecordsFrom(begin)}) {}

  // Goes to the next tenant that has a head. False at the end.
  absl::StatusOr<bool> NextTenant() {
    if (std::exchange(started_, true) && heads_.Valid()) {
      heads_.Next();
    }
    if (!heads_.Valid()) {
      RETURN_IF_ERROR(heads_.status());
      return false;
    }
    TenantHead head;
    tenant_.assign(heads_.key());
    if (!Codec::DecodeHead(heads_.value(), &head)) {
      return MakeError(Reason::kCorrupt, absl::StrCat("the head of tenant \"", Printable(tenant_),
                                                      "\" is malformed"));
    }
    prefix_ = Codec::GenerationPrefix(TenantId::FromStored(tenant_), head.generation);
    return true;
  }

  const std::string& tenant() const { return tenant_; }

  // Goes to the tenant's first place.
  void SeekFirst() {
    // From one tenant to the next there is often nothing in between.
    if (!records_.Valid() || !records_.key().starts_with(prefix_)) {
      records_.Seek(prefix_);
    }
    if (records_.Valid() && records_.key() == prefix_) {
      records_.Next();  // the cornerstone
    }
  }

  // Goes to the tenant's first place that begins with `place_prefix`, or is after those.
  void SeekPlace(std::string_view place_prefix) {
    records_.Seek(prefix_ + std::string(place_prefix));
  }

  // Whether it stands at a record of the tenant. False after an error: look at status().
  bool HasRecord() const { return records_.Valid() && records_.key().starts_with(prefix_); }
  std::string_view place() const { return records_.key().substr(prefix_.size()); }
  std::string_view payload() const { return records_.value(); }
  void NextRecord() { records_.Next(); }
  absl::Status status() const { return records_.status(); }

 private:
  static std::string RecordsFrom(const std::string& tenant) {
    return tenant.empty() ? "" : Codec::GenerationPrefix(TenantId::FromStored(tenant), 0);
  }

  RangeReader heads_;
  RangeReader records_;
  bool started_ = false;
  std::string tenant_;
  std::string prefix_;
};

class ShardStream final : public TenantRowStream {
 public:
  ShardStream(std::unique_ptr<TenantWalker> walker, std::map<std::string, uint32_t> tables)
      : walker_(std::move(walker)), tables_(std::move(tables)) {}

  absl::StatusOr<bool> Next(TenantRow* row) override {
    if (!failed_.ok() || ended_) {
      return failed_.ok() ? absl::StatusOr<bool>(false) : failed_;
    }
    absl::StatusOr<bool> found = FindRow();
    if (found.ok() && *found) {
      failed_ = Fill(row);
    } else {
      failed_ = found.status();
      ended_ = true;
    }
    RETURN_IF_ERROR(failed_);
    return !ended_;
  }

 private:
  absl::StatusOr<bool> FindRow() {
    if (in_tenant_) {
      walker_->NextRecord();
    }
    while (!in_tenant_ || !walker_->HasRecord()) {
      RETURN_IF_ERROR(walker_->status());
      ASSIGN_OR_RETURN(in_tenant_, walker_->NextTenant());
      if (!in_tenant_) {
        return false;
      }
      walker_->SeekFirst();
      table_part_.clear();
    }
    return true;
  }

  absl::Status Fill(TenantRow* row) {
    std::string_view place = walker_->place();
    if (table_part_.empty() || !place.starts_with(table_part_)) {
      RETURN_IF_ERROR(EnterTable(place));
    }
    row->tenant = walker_->tenant();
    row->table = table_;
    row->record.key.Assign(place.substr(table_part_.size()));
    row->record.payload.assign(walker_->payload());
    return absl::OkStatus();
  }

  absl::Status EnterTable(std::string_view place) {
    std::string name;
    std::string_view rest = place;
    if (!Codec::ConsumeTable(&rest, &name)) {
      return Malformed();
    }
    const auto table = tables_.find(name);
    if (table == tables_.end()) {
      return MakeError(Reason::kCorrupt, absl::StrCat("there are records of a table \"",
                                                      Printable(name), "\" that is not listed"));
    }
    table_ = table->second;
    table_part_.assign(place.substr(0, place.size() - rest.size()));
    return absl::OkStatus();
  }

  const std::unique_ptr<TenantWalker> walker_;
  const std::map<std::string, uint32_t> tables_;  // index by name
  bool in_tenant_ = false;
  bool ended_ = false;
  absl::Status failed_;
  uint32_t table_ = 0;
  std::string table_part_;  // of the records at hand
};

class CountStream final : public TenantCountStream {
 public:
  explicit CountStream(std::unique_ptr<TenantWalker> walker) : walker_(std::move(walker)) {}

  absl::StatusOr<bool> Next(TenantCount* count) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool found, walker_->NextTenant());
      if (!found) {
        return false;
      }
      int64_t rows = 0;
      for (walker_->SeekFirst(); walker_->HasRecord(); walker_->NextRecord()) {
        ++rows;
      }
      RETURN_IF_ERROR(walker_->status());
      if (rows > 0) {
        count->tenant = TenantId::FromStored(walker_->tenant());
        count->rows = rows;
        return true;
      }
    }
  }

 private:
  const std::unique_ptr<TenantWalker> walker_;
};

class LabelsStream final : public TenantLabelsStream {
 public:
  LabelsStream(std::unique_ptr<TenantWalker> walker, const std::string& label_table)
      : walker_(std::move(walker)), part_(Codec::TablePart(label_table)) {}

  absl::StatusOr<bool> Next(TenantLabels* labels) override {
    labels->labels.clear();
    while (labels->labels.empty()) {
      ASSIGN_OR_RETURN(const bool found, walker_->NextTenant());
      if (!found) {
        return false;
      }
      walker_->SeekPlace(part_);
      while (walker_->HasRecord() && walker_->place().starts_with(part_) &&
             labels->labels.size() < kMaxLabels) {
        labels->labels.push_back(LabelFromPayload(walker_->payload()));
        walker_->NextRecord();
      }
      RETURN_IF_ERROR(walker_->status());
    }
    labels->tenant = TenantId::FromStored(walker_->tenant());
    return true;
  }

 private:
  const std::unique_ptr<TenantWalker> walker_;
  const std::string part_;
};

// Every `n`-th tenant of a snapshot for the least n that gives at most kMaxSamples.
absl::StatusOr<std::vector<std::string>> SampleTenants(const EmbeddedDb* db,
                                                       const SnapshotPtr& snapshot) {
  std::vector<std::string> samples;
  size_t stride = 1;
  size_t seen = 0;
  RangeReader heads(db, db->heads(), {.snapshot = snapshot});
  for (; heads.Valid(); heads.Next()) {
    if (seen++ % stride != 0) {
      continue;
    }
    if (samples.size() == kMaxSamples) {
      for (size_t i = 0; i < kMaxSamples / 2; ++i) {
        samples[i] = std::move(samples[2 * i]);
      }
      samples.resize(kMaxSamples / 2);
      stride *= 2;
    }
    if ((seen - 1) % stride == 0) {
      samples.emplace_back(heads.key());
    }
  }
  RETURN_IF_ERROR(heads.status());
  return samples;
}

// About how many bytes of records there are from each sample to the next.
absl::StatusOr<std::vector<uint64_t>> MeasureRanges(const EmbeddedDb* db,
                                                    const std::vector<std::string>& samples) {
  std::vector<std::string> begins;
  begins.reserve(samples.size() + 1);
  for (const std::string& tenant : samples) {
    begins.push_back(Codec::GenerationPrefix(TenantId::FromStored(tenant), 0));
  }
  begins.emplace_back("\xff\xff");  // after every tenant, since ids are UTF-8
  std::vector<rocksdb::Range> ranges;
  for (size_t i = 0; i < samples.size(); ++i) {
    ranges.emplace_back(begins[i], begins[i + 1]);
  }
  std::vector<uint64_t> sizes(ranges.size());
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.files_size_error_margin = 0.1;
  RETURN_IF_ERROR(
      FromRocksdb(db->raw()->GetApproximateSizes(options, db->records(), ranges.data(),
                                                 static_cast<int>(ranges.size()), sizes.data()),
                  "cannot measure the store"));
  return sizes;
}

// The generations that the snapshot lists as not to be counted, as prefixes of their keys.
absl::StatusOr<std::set<std::string, std::less<>>> ReadRetired(const EmbeddedDb* db,
                                                               const SnapshotPtr& snapshot) {
  std::set<std::string, std::less<>> retired;
  const std::string prefix(Codec::kRetiredPrefix);
  RangeReader listed(db, db->meta(),
                     {.snapshot = snapshot, .begin = prefix, .end = Codec::After(prefix)});
  for (; listed.Valid(); listed.Next()) {
    retired.emplace(listed.key().substr(prefix.size()));
  }
  RETURN_IF_ERROR(listed.status());
  return retired;
}

}  // namespace

absl::StatusOr<TenantMap> ReadMap(const EmbeddedDb* db, const rocksdb::Snapshot* snapshot) {
  TenantMap map;
  map.label_source = absl::StrCat("table ", db->options().label_table);
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  const std::unique_ptr<rocksdb::Iterator> names(db->raw()->NewIterator(options, db->tables()));
  for (names->SeekToFirst(); names->Valid(); names->Next()) {
    const std::string name = names->key().ToString();
    map.tables.push_back({.schema = {.identity = name,
                                     .name = name,
                                     .columns = {{.name = "key", .type = "bytes", .in_key = true},
                                                 {.name = "value", .type = "bytes"}}},
                          .relation = Relation::kOwned,
                          .how = "the tenant is a part of every key"});
  }
  RETURN_IF_ERROR(FromRocksdb(names->status(), "cannot read the names of the store's tables"));
  return map;
}

std::unique_ptr<TenantCountStream> OpenTenantCounts(const EmbeddedDb* db,
                                                    const SnapshotPtr& snapshot) {
  return std::make_unique<CountStream>(std::make_unique<TenantWalker>(db, snapshot, "", ""));
}

absl::StatusOr<std::unique_ptr<Cut>> EmbeddedCut::Open(const EmbeddedDb* db, int max_shards) {
  RETURN_IF_ERROR(db->Fault("live.open_cut"));
  std::unique_ptr<EmbeddedCut> cut(new EmbeddedCut(db));
  cut->info_.instant = db->options().clock->Now();
  cut->info_.position = absl::StrCat("sequence ", cut->snapshot_->GetSequenceNumber());
  cut->info_.ordered_by_tenant = true;
  ASSIGN_OR_RETURN(cut->info_.map, ReadMap(db, cut->snapshot_.get()));
  RETURN_IF_ERROR(cut->SplitIntoShards(max_shards));
  return cut;
}

absl::Status EmbeddedCut::SplitIntoShards(int max_shards) {
  shard_begins_ = {""};
  if (max_shards <= 1) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> samples, SampleTenants(db_, snapshot_));
  ASSIGN_OR_RETURN(const std::vector<uint64_t> sizes, MeasureRanges(db_, samples));
  uint64_t total = 0;
  for (const uint64_t size : sizes) {
    total += size + 1;  // so that tenants are dealt out evenly where no size is known
  }
  uint64_t before = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (before * static_cast<uint64_t>(max_shards) >= total * shard_begins_.size()) {
      shard_begins_.push_back(samples[i]);
    }
    before += sizes[i] + 1;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TenantRowStream>> EmbeddedCut::OpenShard(int shard) {
  if (shard < 0 || shard >= shards()) {
    return MakeError(Reason::kInvalidArgument, absl::StrCat("the cut has no shard ", shard));
  }
  const auto index = static_cast<size_t>(shard);
  std::map<std::string, uint32_t> tables;
  for (const MappedTable& table : info_.map.tables) {
    tables.emplace(table.schema.name, static_cast<uint32_t>(tables.size()));
  }
  return std::make_unique<ShardStream>(
      std::make_unique<TenantWalker>(
          db_, snapshot_, shard_begins_[index],
          index + 1 < shard_begins_.size() ? shard_begins_[index + 1] : ""),
      std::move(tables));
}

absl::StatusOr<int64_t> EmbeddedCut::CountRows(uint32_t table) {
  if (table >= info_.map.tables.size()) {
    return MakeError(Reason::kTableNotFound, absl::StrCat("the cut has no table ", table));
  }
  MutexLock lock(&mu_);
  if (!counts_) {
    std::vector<int64_t> counts(info_.map.tables.size());
    RETURN_IF_ERROR(CountAll(&counts));
    counts_ = std::move(counts);
  }
  return (*counts_)[table];
}

absl::Status EmbeddedCut::CountAll(std::vector<int64_t>* counts) const {
  ASSIGN_OR_RETURN(const auto retired, ReadRetired(db_, snapshot_));
  RangeReader records(db_, db_->records(), {.snapshot = snapshot_, .readahead_bytes = 2 << 20});
  std::string run;  // what the keys of the records at hand begin with: generation and table
  int64_t* count = nullptr;
  while (records.Valid()) {
    if (count != nullptr && records.key().starts_with(run)) {
      ++*count;
      records.Next();
      continue;
    }
    std::string_view rest = records.key();
    std::string tenant;
    std::string table;
    uint64_t generation = 0;
    if (!Codec::ConsumeGeneration(&rest, &tenant, &generation)) {
      return Malformed();
    }
    count = nullptr;
    if (retired.contains(records.key().substr(0, records.key().size() - rest.size()))) {
      records.Seek(Codec::GenerationPrefix(TenantId::FromStored(tenant), generation + 1));
      continue;
    }
    if (rest.empty()) {  // the cornerstone
      records.Next();
      continue;
    }
    if (!Codec::ConsumeTable(&rest, &table)) {
      return Malformed();
    }
    const auto mapped =
        std::find_if(info_.map.tables.begin(), info_.map.tables.end(),
                     [&](const MappedTable& candidate) { return candidate.schema.name == table; });
    if (mapped == info_.map.tables.end()) {
      return Malformed();
    }
    run.assign(records.key().substr(0, records.key().size() - rest.size()));
    count = &(*counts)[static_cast<size_t>(mapped - info_.map.tables.begin())];
  }
  return records.status();
}

absl::StatusOr<std::unique_ptr<TenantLabelsStream>> EmbeddedCut::OpenLabels() {
  return std::make_unique<LabelsStream>(std::make_unique<TenantWalker>(db_, snapshot_, "", ""),
                                        db_->options().label_table);
}

}  // namespace reinstate
