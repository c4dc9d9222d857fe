#include "storage/history/catalog.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/history/history_status.h"
#include "storage/history/key_codec.h"
#include "storage/history/root_codec.h"
#include "storage/history/sealed_value.h"

namespace reinstate {
namespace {

using EntryVisitor = std::function<absl::Status(std::string_view key, std::string_view body)>;

// Visits all keys of a family that begin with `prefix`.
absl::Status ForEach(const HistoryDb& db, Family family, std::string_view prefix,
                     const EntryVisitor& visit) {
  rocksdb::ReadOptions options;
  options.total_order_seek = true;
  const std::unique_ptr<rocksdb::Iterator> it = db.NewIterator(family, options);
  for (it->Seek(prefix); it->Valid() && it->key().ToStringView().starts_with(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const std::string_view body,
                     Unseal(it->key().ToStringView(), it->value().ToStringView()));
    RETURN_IF_ERROR(visit(it->key().ToStringView(), body));
  }
  return HistoryStatus(it->status(), "read its catalog");
}

absl::Status Malformed() {
  return MakeError(Reason::kCorrupt, "An entry of the history's catalog is malformed.");
}

absl::Status NotFound(const SnapshotId& id) {
  return MakeError(Reason::kSnapshotNotFound,
                   absl::StrCat("There is no snapshot ", id.ToString(), ", or it has expired."));
}

void ApplyState(const history::SnapshotState& state, SnapshotInfo* info) {
  info->held = state.held();
  info->hold_reason = state.hold_reason();
  info->hidden_since.reset();
  if (state.has_hidden_since_us()) {
    info->hidden_since = absl::FromUnixMicros(state.hidden_since_us());
  }
  info->pinned_by.assign(state.pinned_by().begin(), state.pinned_by().end());
  info->collapse.lifted = state.collapse_lifted();
}

history::SnapshotState StateOf(const SnapshotInfo& info) {
  history::SnapshotState state;
  state.set_held(info.held);
  state.set_hold_reason(info.hold_reason);
  if (info.hidden_since.has_value()) {
    state.set_hidden_since_us(absl::ToUnixMicros(*info.hidden_since));
  }
  for (const std::string& job : info.pinned_by) {
    state.add_pinned_by(job);
  }
  state.set_collapse_lifted(info.collapse.lifted);
  return state;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Load(HistoryDb* db) {
  std::unique_ptr<Catalog> catalog(new Catalog(db));
  RETURN_IF_ERROR(catalog->LoadLineages());
  RETURN_IF_ERROR(catalog->LoadRoots());
  RETURN_IF_ERROR(catalog->LoadStates());
  return catalog;
}

absl::Status Catalog::LoadLineages() {
  MutexLock lock(&mu_);
  auto visit = [this](std::string_view key, std::string_view body) {
    mu_.AssertHeld();
    uint32_t number = 0;
    history::Lineage lineage;
    if (!KeyCodec::ParseLineageKey(key, &number) ||
        !lineage.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return Malformed();
    }
    lineages_[number] = lineage.name();
    return absl::OkStatus();
  };
  return ForEach(*db_, Family::kCatalog, KeyCodec::AllLineagesPrefix(), visit);
}

absl::Status Catalog::LoadRoots() {
  MutexLock lock(&mu_);
  auto visit = [this](std::string_view key, std::string_view body) -> absl::Status {
    mu_.AssertHeld();
    SnapshotId id;
    if (!KeyCodec::ParseRootKey(key, &id)) {
      return Malformed();
    }
    ASSIGN_OR_RETURN(const StoredRoot stored, DecodeRoot(body));
    ASSIGN_OR_RETURN(entries_[id].info, RootToInfo(*db_, id, stored));
    return absl::OkStatus();
  };
  return ForEach(*db_, Family::kRoots, "", visit);
}

absl::Status Catalog::LoadStates() {
  MutexLock lock(&mu_);
  auto visit = [this](std::string_view key, std::string_view body) {
    mu_.AssertHeld();
    SnapshotId id;
    history::SnapshotState state;
    if (!KeyCodec::ParseSnapshotKey(key, &id) ||
        !state.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return Malformed();
    }
    if (auto found = entries_.find(id); found != entries_.end()) {
      ApplyState(state, &found->second.info);
      found->second.expired = state.expired();
    }
    return absl::OkStatus();
  };
  return ForEach(*db_, Family::kCatalog, KeyCodec::AllSnapshotsPrefix(), visit);
}

absl::StatusOr<uint32_t> Catalog::EnsureLineage(const std::string& name) {
  MutexLock changes(&changes_mu_);
  uint32_t number = 1;
  {
    MutexLock lock(&mu_);
    for (const auto& [known, known_name] : lineages_) {
      if (known_name == name) {
        return known;
      }
      number = known + 1;
    }
  }
  history::Lineage lineage;
  lineage.set_name(name);
  RETURN_IF_ERROR(db_->PutCatalog(KeyCodec::LineageKey(number), lineage.SerializeAsString(),
                                  Durability::kFlushed));
  MutexLock lock(&mu_);
  lineages_[number] = name;
  return number;
}

std::vector<LineageInfo> Catalog::ListLineages() const {
  MutexLock lock(&mu_);
  std::vector<LineageInfo> lineages;
  lineages.reserve(lineages_.size());
  for (const auto& [number, name] : lineages_) {
    lineages.push_back({.number = number, .name = name});
  }
  return lineages;
}

bool Catalog::HasLineage(uint32_t lineage) const {
  MutexLock lock(&mu_);
  return lineages_.contains(lineage);
}

std::vector<SnapshotInfo> Catalog::List(uint32_t lineage) const {
  MutexLock lock(&mu_);
  std::vector<SnapshotInfo> snapshots;
  for (const auto& [id, entry] : entries_) {
    if (id.lineage == lineage && !entry.expired) {
      snapshots.push_back(entry.info);
    }
  }
  return snapshots;
}

absl::StatusOr<Catalog::Entries::const_iterator> Catalog::Find(const SnapshotId& id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.expired) {
    return NotFound(id);
  }
  return found;
}

absl::StatusOr<SnapshotInfo> Catalog::Get(const SnapshotId& id) const {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const auto found, Find(id));
  return found->second.info;
}

absl::StatusOr<SnapshotInfo> Catalog::At(uint32_t lineage, absl::Time time) const {
  std::vector<SnapshotInfo> visible = List(lineage);
  std::erase_if(visible, [](const SnapshotInfo& info) { return !info.visible(); });
  const auto found =
      std::find_if(visible.rbegin(), visible.rend(),
                   [time](const SnapshotInfo& info) { return info.instant <= time; });
  if (found != visible.rend()) {
    return *found;
  }
  return MakeError(
      Reason::kPointBeforeFirstSnapshot,
      visible.empty()
          ? std::string("There is no snapshot yet.")
          : absl::StrCat(
                "The first snapshot is ", visible.front().id.ToString(), " of ",
                absl::FormatTime(absl::RFC3339_full, visible.front().instant, absl::UTCTimeZone()),
                ", which is later than the point that was asked for. To take it nevertheless, ask "
                "for ",
                visible.front().id.ToString(), "."));
}

uint64_t Catalog::LastVersion(uint32_t lineage) const {
  MutexLock lock(&mu_);
  auto after = entries_.upper_bound({.lineage = lineage, .version = ~uint64_t{0}});
  if (after == entries_.begin() || (--after)->first.lineage != lineage) {
    return 0;
  }
  return after->first.version;
}

absl::StatusOr<std::unique_ptr<Catalog::Reading>> Catalog::BeginReading(const SnapshotId& id) {
  MutexLock lock(&mu_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.expired) {
    return NotFound(id);
  }
  if (!found->second.info.visible()) {
    return MakeError(Reason::kSnapshotHidden,
                     absl::StrCat("The snapshot ", id.ToString(),
                                  " is hidden. Bring it back with undelete first."));
  }
  ++found->second.readings;
  return std::make_unique<Reading>(this, found->second.info);
}

void Catalog::EndReading(const SnapshotId& id) {
  MutexLock lock(&mu_);
  --entries_.at(id).readings;
}

void Catalog::Add(const SnapshotInfo& info) {
  MutexLock lock(&mu_);
  entries_[info.id].info = info;
}

absl::Status Catalog::Change(const SnapshotId& id, Durability durability,
                             const std::function<absl::Status(SnapshotInfo*)>& change) {
  MutexLock changes(&changes_mu_);
  ASSIGN_OR_RETURN(SnapshotInfo info, Get(id));
  RETURN_IF_ERROR(change(&info));
  RETURN_IF_ERROR(
      db_->PutCatalog(KeyCodec::SnapshotKey(id), StateOf(info).SerializeAsString(), durability));
  MutexLock lock(&mu_);
  entries_.at(id).info = std::move(info);
  return absl::OkStatus();
}

absl::Status Catalog::Hold(const SnapshotId& id, const std::string& reason) {
  return Change(id, Durability::kFlushed, [&reason](SnapshotInfo* info) {
    info->held = true;
    info->hold_reason = reason;
    return absl::OkStatus();
  });
}

absl::Status Catalog::Release(const SnapshotId& id) {
  return Change(id, Durability::kFlushed, [](SnapshotInfo* info) {
    info->held = false;
    info->hold_reason.clear();
    return absl::OkStatus();
  });
}

absl::Status Catalog::Hide(const SnapshotId& id, absl::Time now) {
  return Change(id, Durability::kFlushed, [&id, now](SnapshotInfo* info) {
    if (info->held || !info->pinned_by.empty()) {
      return MakeError(Reason::kSnapshotHeld,
                       absl::StrCat("The snapshot ", id.ToString(), " is ",
                                    info->held ? "held" : "used by a job",
                                    " and cannot be deleted. Release it first."));
    }
    if (!info->hidden_since.has_value()) {  // repeating it must not prolong the grace
      info->hidden_since = now;
    }
    return absl::OkStatus();
  });
}

absl::Status Catalog::Undelete(const SnapshotId& id) {
  return Change(id, Durability::kFlushed, [](SnapshotInfo* info) {
    info->hidden_since.reset();
    return absl::OkStatus();
  });
}

absl::Status Catalog::LiftCollapse(const SnapshotId& id) {
  return Change(id, Durability::kFlushed, [](SnapshotInfo* info) {
    info->collapse.lifted = true;
    return absl::OkStatus();
  });
}

absl::Status Catalog::Pin(const SnapshotId& id, const std::string& job) {
  return Change(id, Durability::kLogged, [&job](SnapshotInfo* info) {
    if (std::ranges::find(info->pinned_by, job) == info->pinned_by.end()) {
      info->pinned_by.push_back(job);
    }
    return absl::OkStatus();
  });
}

absl::Status Catalog::Unpin(const SnapshotId& id, const std::string& job) {
  return Change(id, Durability::kLogged, [&job](SnapshotInfo* info) {
    std::erase(info->pinned_by, job);
    return absl::OkStatus();
  });
}

absl::Status Catalog::BeginExpiry(const SnapshotId& id, std::string* root_digest) {
  const bool newest = LastVersion(id.lineage) == id.version;
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const auto found, Find(id));
  const SnapshotInfo& info = found->second.info;
  if (newest || info.visible() || info.held || !info.pinned_by.empty() ||
      found->second.readings > 0) {
    return MakeError(Reason::kSnapshotHeld,
                     absl::StrCat("The snapshot ", id.ToString(), " is still needed."));
  }
  *root_digest = info.root_digest;
  entries_.at(id).expired = true;
  return absl::OkStatus();
}

absl::Status Catalog::Expire(const SnapshotId& id) {
  MutexLock changes(&changes_mu_);
  history::SnapshotState state;
  RETURN_IF_ERROR(BeginExpiry(id, state.mutable_root_digest()));
  state.set_expired(true);
  absl::Status written =
      db_->PutCatalog(KeyCodec::SnapshotKey(id), state.SerializeAsString(), Durability::kFlushed);
  if (!written.ok()) {
    MutexLock lock(&mu_);
    entries_.at(id).expired = false;
  }
  return written;
}

std::vector<SnapshotId> Catalog::ExpiredWithData(uint32_t lineage) const {
  MutexLock lock(&mu_);
  std::vector<SnapshotId> expired;
  for (const auto& [id, entry] : entries_) {
    if (id.lineage == lineage && entry.expired) {
      expired.push_back(id);
    }
  }
  return expired;
}

void Catalog::ForgetExpired(const SnapshotId& id) {
  MutexLock lock(&mu_);
  entries_.erase(id);
}

absl::Status Catalog::CheckOnDisk(uint32_t lineage) const {
  MutexLock changes(&changes_mu_);
  for (const SnapshotInfo& info : List(lineage)) {
    ASSIGN_OR_RETURN(const std::optional<std::string> body,
                     db_->Get(Family::kCatalog, KeyCodec::SnapshotKey(info.id)));
    history::SnapshotState state;
    if (body.has_value() && !state.ParseFromString(*body)) {
      return Malformed();
    }
    if (state.expired() || state.SerializeAsString() != StateOf(info).SerializeAsString()) {
      return MakeError(Reason::kCorrupt, absl::StrCat("What the catalog says of snapshot ",
                                                      info.id.ToString(), " has changed on disk."));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate
