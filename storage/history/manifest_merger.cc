#include "storage/history/manifest_merger.h"

#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/key_codec.h"
#include "storage/history/sealed_value.h"

namespace reinstate {

TenantTotals& TenantTotals::operator+=(const TenantTotals& other) {
  tenants += other.tenants;
  ownerless_rows += other.ownerless_rows;
  sum += other.sum;
  manifests_hash += other.manifests_hash;
  vanished += other.vanished;
  shrunken += other.shrunken;
  return *this;
}

ManifestMerger::ManifestMerger(const MergeTarget& target, const LabelsFile& labels,
                               const std::string& begin, const std::string& end)
    : target_(target),
      labels_(labels, begin, end),
      earlier_(target.db, {.family = Family::kManifests,
                           .begin = begin,
                           .end = end,
                           .version = target.version - 1,
                           .fill_cache = false}),
      sink_(target.db, target.db->TableOptions(Family::kManifests), "manifests") {}

absl::Status ManifestMerger::Open() {
  RETURN_IF_ERROR(labels_.Open());
  return NextEarlier();
}

absl::Status ManifestMerger::NextEarlier() {
  ASSIGN_OR_RETURN(at_earlier_, earlier_.Next());
  return absl::OkStatus();
}

absl::Status ManifestMerger::Add(std::string_view prefix, std::vector<TableSum> tables) {
  RETURN_IF_ERROR(AddTenantsBefore(prefix));
  return Settle(std::string(prefix), std::move(tables));
}

absl::Status ManifestMerger::Finish() {
  RETURN_IF_ERROR(AddTenantsBefore(std::nullopt));
  return sink_.Finish();
}

// Those that have labels or had a manifest, but have no rows.
absl::Status ManifestMerger::AddTenantsBefore(std::optional<std::string_view> prefix) {
  while (labels_.Valid() || at_earlier_) {
    std::string_view next = labels_.Valid() ? labels_.prefix() : earlier_.group();
    if (at_earlier_ && earlier_.group() < next) {
      next = earlier_.group();
    }
    if (prefix.has_value() && next >= *prefix) {
      break;
    }
    RETURN_IF_ERROR(Settle(std::string(next), {}));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ManifestMerger::TakeLabels(std::string_view prefix) {
  if (!labels_.Valid() || labels_.prefix() != prefix) {
    return std::vector<std::string>();
  }
  ASSIGN_OR_RETURN(std::vector<std::string> labels, labels_.labels());
  RETURN_IF_ERROR(labels_.Next());
  return labels;
}

absl::StatusOr<std::optional<ManifestMerger::Earlier>> ManifestMerger::TakeEarlier(
    std::string_view prefix) {
  if (!at_earlier_ || earlier_.group() != prefix) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const std::string_view body, Unseal(earlier_.key(), earlier_.value()));
  ASSIGN_OR_RETURN(ManifestCodec::Manifest manifest, ManifestCodec::Decode("", body));
  Earlier earlier{.body = std::string(body), .content = std::move(manifest.content)};
  RETURN_IF_ERROR(NextEarlier());
  if (!manifest.exists) {
    return std::nullopt;
  }
  return earlier;
}

absl::Status ManifestMerger::Settle(const std::string& prefix, std::vector<TableSum> tables) {
  KeyCodec::ManifestGroup group;
  if (!KeyCodec::ParseManifestGroup(prefix, &group)) {
    return MakeError(Reason::kCorrupt, "A key of a manifest in the history is malformed.");
  }
  const bool has_labels = labels_.Valid() && labels_.prefix() == prefix;
  TenantManifest manifest;
  manifest.tenant = TenantId::FromStored(group.tenant);
  manifest.tables = std::move(tables);
  ASSIGN_OR_RETURN(manifest.labels, TakeLabels(prefix));
  ASSIGN_OR_RETURN(const std::optional<Earlier> earlier, TakeEarlier(prefix));
  if (has_labels || !manifest.tables.empty()) {
    return SettleExisting(prefix, manifest, earlier);
  }
  if (earlier.has_value()) {
    totals_.vanished += manifest.tenant.is_ownerless() ? 0 : 1;
    return Write(prefix, ManifestCodec::EncodeGone());
  }
  return absl::OkStatus();
}

absl::Status ManifestMerger::SettleExisting(const std::string& prefix,
                                            const TenantManifest& manifest,
                                            const std::optional<Earlier>& earlier) {
  for (const TableSum& table : manifest.tables) {
    totals_.sum += table.sum;
  }
  if (manifest.tenant.is_ownerless()) {
    totals_.ownerless_rows += manifest.rows();
  } else {
    ++totals_.tenants;
    if (earlier.has_value() && earlier->content.rows() > 0 &&
        manifest.rows() * 2 <= earlier->content.rows()) {
      ++totals_.shrunken;
    }
  }
  std::string body = ManifestCodec::Encode(manifest);
  totals_.manifests_hash += ManifestCodec::Hash(target_.hasher, manifest.tenant.value(), body);
  if (earlier.has_value() && earlier->body == body) {
    return absl::OkStatus();
  }
  return Write(prefix, std::move(body));
}

absl::Status ManifestMerger::Write(std::string_view prefix, std::string body) {
  const std::string key = KeyCodec::Versioned(prefix, target_.version);
  Seal(key, &body);
  return sink_.Put(key, body);
}

}  // namespace reinstate
