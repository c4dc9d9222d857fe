#include "server/restore/action_log.h"

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/key_parts.h"
#include "storage/model/sum.h"

namespace reinstate {
namespace {

static_assert(static_cast<int>(ChangeKind::kDelete) == 0);
static_assert(static_cast<int>(ChangeKind::kReplace) == 1);
static_assert(static_cast<int>(ChangeKind::kInsert) == 2);

// How much is hashed at once: a call for each action would cost more than the hash.
constexpr size_t kDigestBytes = 16 << 10;

void Encode(const Action& action, std::string* out) {
  out->clear();
  AppendKeyPart32(action.table, out);
  AppendKeyPart32(static_cast<uint32_t>(action.key.size()), out);
  AppendKeyPart64(action.old_payload.size(), out);
  out->append(action.key);
  out->append(action.old_payload);
  out->append(action.new_payload);
}

bool Decode(std::string_view in, Action* action) {
  uint32_t key_bytes = 0;
  uint64_t old_bytes = 0;
  if (!ConsumeKeyPart32(&in, &action->table) || !ConsumeKeyPart32(&in, &key_bytes) ||
      !ConsumeKeyPart64(&in, &old_bytes) || in.size() < key_bytes ||
      in.size() - key_bytes < old_bytes) {
    return false;
  }
  action->key.assign(in.substr(0, key_bytes));
  in.remove_prefix(key_bytes);
  action->old_payload.assign(in.substr(0, old_bytes));
  in.remove_prefix(old_bytes);
  action->new_payload.assign(in);
  return true;
}

}  // namespace

void AppendRowHash(std::string_view key, std::string_view payload, std::string* out) {
  AppendUint128(RecordHasher(0).Hash(0, key, payload), out);
}

std::string RowHash(std::string_view key, std::string_view payload) {
  std::string hash;
  AppendRowHash(key, payload, &hash);
  return hash;
}

ActionLog::ActionLog(const std::string& spill_folder, int64_t memory_bytes)
    : spills_{SpillFile(spill_folder, static_cast<size_t>(memory_bytes / 4)),
              SpillFile(spill_folder, static_cast<size_t>(memory_bytes / 4)),
              SpillFile(spill_folder, static_cast<size_t>(memory_bytes / 4))} {}

int64_t ActionLog::size() const {
  int64_t size = 0;
  for (const SpillFile& spill : spills_) {
    size += spill.items();
  }
  return size;
}

void ActionLog::AddToDigest(const Action& action) {
  std::string& pending = pending_[static_cast<size_t>(action.kind)];
  AppendKeyPart32(action.table, &pending);
  if (action.kind != ChangeKind::kInsert) {
    AppendRowHash(action.key, action.old_payload, &pending);
  }
  if (action.kind != ChangeKind::kDelete) {
    AppendRowHash(action.key, action.new_payload, &pending);
  }
  AppendKeyPart(action.key, &pending);
  if (pending.size() >= kDigestBytes) {
    digests_[static_cast<size_t>(action.kind)].Add(pending);
    pending.clear();
  }
}

absl::Status ActionLog::Append(const Action& action) {
  AddToDigest(action);
  Encode(action, &buffer_);
  return spills_[static_cast<size_t>(action.kind)].Append(buffer_);
}

std::string ActionLog::FinishDigest() {
  Digest all;
  for (size_t kind = 0; kind < digests_.size(); ++kind) {
    all.Add(kind);
    digests_[kind].Add(pending_[kind]);
    all.Add(digests_[kind].Finish());
  }
  return all.Finish();
}

absl::Status ActionLog::ForEach(const std::function<absl::Status(const Action&)>& visit) const {
  Action action;
  std::string_view item;
  for (size_t kind = 0; kind < spills_.size(); ++kind) {
    action.kind = static_cast<ChangeKind>(kind);
    SpillFile::Reader reader = spills_[kind].Read();
    while (true) {
      ASSIGN_OR_RETURN(const bool more, reader.Next(&item));
      if (!more) {
        break;
      }
      if (!Decode(item, &action)) {
        return MakeError(Reason::kCorrupt, "temporary file of a restore: an action is malformed");
      }
      RETURN_IF_ERROR(visit(action));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate
