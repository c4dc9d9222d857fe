#include "storage/live/rocksdb/generation_remover.h"

#include <memory>

#include "absl/time/time.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/rocksdb/range_reader.h"
#include "storage/rocks/slices.h"

namespace reinstate {
namespace {

constexpr uint32_t kRecordsPerBatch = 1000;
constexpr absl::Duration kRetryAfter = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<GenerationRemover>> GenerationRemover::Start(EmbeddedDb* db) {
  auto remover = std::unique_ptr<GenerationRemover>(new GenerationRemover(db));
  RETURN_IF_ERROR(remover->LoadListed());
  remover->thread_ = std::thread([remover = remover.get()] { remover->Run(); });
  return remover;
}

GenerationRemover::~GenerationRemover() {
  stopping_ = true;
  changed_.SignalAll();
  if (thread_.joinable()) {
    thread_.join();
  }
}

absl::Status GenerationRemover::LoadListed() {
  const std::string prefix(EmbeddedKeyCodec::kRetiredPrefix);
  RangeReader listed(db_, db_->meta(), {.begin = prefix, .end = EmbeddedKeyCodec::After(prefix)});
  MutexLock lock(&mu_);
  for (; listed.Valid(); listed.Next()) {
    std::string tenant;
    uint64_t generation = 0;
    if (!EmbeddedKeyCodec::ParseRetiredKey(listed.key(), &tenant, &generation)) {
      return MakeError(Reason::kCorrupt, "the store's list of old generations is malformed");
    }
    queue_.emplace_back(TenantId::FromStored(std::move(tenant)), generation);
  }
  return listed.status();
}

void GenerationRemover::Enqueue(const TenantId& tenant, uint64_t generation) {
  MutexLock lock(&mu_);
  queue_.emplace_back(tenant, generation);
  changed_.SignalAll();
}

void GenerationRemover::WaitUntilDone() {
  MutexLock lock(&mu_);
  while (!queue_.empty()) {
    changed_.Wait(&mu_);
  }
}

bool GenerationRemover::AwaitItem(Item* item) {
  MutexLock lock(&mu_);
  while (queue_.empty() && !stopping_) {
    changed_.WaitFor(&mu_, kRetryAfter);
  }
  if (stopping_) {
    return false;
  }
  *item = queue_.front();
  return true;
}

void GenerationRemover::Run() {
  Item item{TenantId::Ownerless(), 0};
  while (AwaitItem(&item)) {
    const absl::Status removed = Remove(item);
    MutexLock lock(&mu_);
    if (removed.ok()) {
      queue_.pop_front();
      changed_.SignalAll();
    } else if (!stopping_) {
      // A full disk, say. It costs space only, and the next process would find it listed too.
      changed_.WaitFor(&mu_, kRetryAfter);
    }
  }
}

absl::Status GenerationRemover::Remove(const Item& item) {
  const auto& [tenant, generation] = item;
  ASSIGN_OR_RETURN(const std::optional<TenantHead> head, db_->ReadHead(tenant, nullptr));
  if (head && head->generation == generation) {
    return MakeError(Reason::kInternal, "a generation in use was listed to be removed");
  }
  RangeReader records(db_, db_->records(),
                      {.begin = EmbeddedKeyCodec::GenerationPrefix(tenant, generation),
                       .end = EmbeddedKeyCodec::GenerationPrefix(tenant, generation + 1)});
  rocksdb::WriteBatch batch;
  while (records.Valid()) {
    batch.Delete(db_->records(), ToSlice(records.key()));
    records.Next();
    if (batch.Count() >= kRecordsPerBatch) {
      RETURN_IF_ERROR(db_->Fault("live.remove_generation"));
      RETURN_IF_ERROR(db_->Write(&batch));
      batch.Clear();
      if (stopping_) {
        return MakeError(Reason::kShuttingDown, "the store is being closed");
      }
    }
  }
  RETURN_IF_ERROR(records.status());
  RETURN_IF_ERROR(db_->Fault("live.remove_generation"));
  batch.Delete(db_->meta(), EmbeddedKeyCodec::RetiredKey(tenant, generation));
  return db_->Write(&batch);
}

}  // namespace reinstate
