#include "storage/state/state_meta.h"

#include <memory>
#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/rocks/rocksdb_status.h"

namespace reinstate {
namespace {

constexpr int kFormat = 1;

absl::StatusOr<int64_t> CountRecords(const StateHandle& handle, StateFamily family) {
  std::unique_ptr<rocksdb::Iterator> it(
      handle.db()->NewIterator(rocksdb::ReadOptions(), handle.of(family)));
  int64_t records = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    ++records;
  }
  RETURN_IF_ERROR(FromRocksdb(it->status(), "counting the state's records"));
  return records;
}

std::string RandomId() {
  std::random_device device;
  std::string bytes;
  while (bytes.size() < 16) {
    const uint32_t word = device();
    for (int shift = 0; shift < 32; shift += 8) {
      bytes += static_cast<char>(word >> shift);
    }
  }
  return absl::BytesToHexString(bytes);
}

}  // namespace

StateCounts CountsOf(const state::Meta& meta) {
  StateCounts counts{};
  for (const auto& count : meta.counts()) {
    for (size_t i = 0; i < kStateFamilies; ++i) {
      if (StateFamilyName(static_cast<StateFamily>(i)) == count.family()) {
        counts[i] = count.records();
      }
    }
  }
  return counts;
}

void SetCounts(const StateCounts& counts, state::Meta* meta) {
  meta->clear_counts();
  for (size_t i = 0; i < kStateFamilies; ++i) {
    const auto family = static_cast<StateFamily>(i);
    if (IsCounted(family)) {
      auto* count = meta->add_counts();
      count->set_family(std::string(StateFamilyName(family)));
      count->set_records(counts[i]);
    }
  }
}

state::Meta NewMeta() {
  state::Meta meta;
  meta.set_format(kFormat);
  meta.set_id(RandomId());
  meta.set_change(1);
  SetCounts(StateCounts{}, &meta);
  return meta;
}

absl::StatusOr<state::Meta> ReadMeta(const StateHandle& handle) {
  state::Meta meta;
  ASSIGN_OR_RETURN(const bool found, handle.Get(StateFamily::kMeta, StateKeys::Meta(), &meta));
  if (!found) {
    return MakeError(Reason::kCorrupt,
                     "the state's database has lost the record that describes it; bring it back "
                     "from a copy");
  }
  if (meta.format() != kFormat) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the state has format ", meta.format(), ", this program reads ",
                                  kFormat, " only; run the program that wrote it"));
  }
  return meta;
}

absl::Status CheckWhole(const StateHandle& handle, uint64_t acknowledged) {
  ASSIGN_OR_RETURN(const state::Meta meta, ReadMeta(handle));
  if (meta.change() < acknowledged) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the state's database ends at change ", meta.change(),
                                  ", but change ", acknowledged,
                                  " was acknowledged: its last records are lost; bring it back "
                                  "from a copy"));
  }
  const StateCounts expected = CountsOf(meta);
  for (size_t i = 0; i < kStateFamilies; ++i) {
    const auto family = static_cast<StateFamily>(i);
    if (!IsCounted(family)) {
      continue;
    }
    ASSIGN_OR_RETURN(const int64_t records, CountRecords(handle, family));
    if (records != expected[i]) {
      return MakeError(Reason::kCorrupt,
                       absl::StrCat("the state's family ", Absl(StateFamilyName(family)), " has ",
                                    records, " records and must have ", expected[i],
                                    "; bring the state back from a copy"));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate
