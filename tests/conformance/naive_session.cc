#include "tests/conformance/naive_session.h"

#include <utility>

namespace reinstate {
namespace {

class RowsStream final : public RecordStream {
 public:
  explicit RowsStream(Rows rows) : rows_(std::move(rows)), next_(rows_.begin()) {}

  absl::StatusOr<bool> Next(Record* record) override {
    if (next_ == rows_.end()) {
      return false;
    }
    *record = {.key = RowKey(next_->first), .payload = next_->second};
    ++next_;
    return true;
  }

 private:
  const Rows rows_;
  Rows::const_iterator next_;
};

}  // namespace

NaiveSession::NaiveSession(RecordStore* store, TenantLocks* locks, TenantId tenant, NaiveWays ways)
    : store_(store), tenant_(std::move(tenant)), ways_(ways) {
  TakeView();
  lock_ = *locks->Take(tenant_, absl::Seconds(30));
}

void NaiveSession::TakeView() {
  rows_ = ReadAll(store_->Scan(tenant_, kTable, RowKey())->get());
  if (ways_.views != nullptr) {
    ++*ways_.views;
  }
}

absl::Status NaiveSession::Begin() {
  if (!ways_.takes_view_before_lock) {
    TakeView();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordStream>> NaiveSession::ReadTable(const std::string&) {
  return std::make_unique<RowsStream>(rows_);
}

absl::StatusOr<std::vector<KeyState>> NaiveSession::LookUp(const std::string&,
                                                           std::span<const RowKey> keys) {
  return std::vector<KeyState>(keys.size());
}

absl::Status NaiveSession::Apply(const Change& change) {
  RecordWrite write{.tenant = tenant_, .table = change.table, .key = change.key, .payload = {}};
  if (change.kind == ChangeKind::kDelete) {
    rows_.erase(change.key.bytes());
  } else {
    rows_[change.key.bytes()] = change.new_payload;
    write.payload = change.new_payload;
  }
  writes_.push_back(std::move(write));
  return absl::OkStatus();
}

absl::Status NaiveSession::Commit(absl::Time) {
  if (ways_.writes_view_back) {
    EXPECT_THAT(store_->DeleteTenant(tenant_), IsOk());
    writes_.clear();
    for (const auto& [key, payload] : rows_) {
      writes_.push_back(
          {.tenant = tenant_, .table = kTable, .key = RowKey(key), .payload = payload});
    }
  }
  return store_->Write(writes_, /*sync=*/false);
}

absl::StatusOr<CommitOutcome> NaiveSession::Resolve(const CommitToken&) {
  return CommitOutcome::kNotKnown;
}

}  // namespace reinstate
