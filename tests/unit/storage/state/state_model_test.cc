// Random operations on a state, reopened now and then, compared with a model in memory.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/storage/state/state_fixture.h"

namespace reinstate {
namespace {

struct ModelRestore {
  state::JobState state = state::QUEUED;
  std::string undo_of;
  bool has_certificate = false;
  std::optional<int64_t> undo_chunks;  // of the recorded intent
};

class StateModelTest : public StateFixture {
 protected:
  std::map<std::string, ModelRestore> model_;
  std::map<std::string, std::string> requests_;
  int64_t audit_entries_ = 0;

  void Begin() {
    store_.reset();
    std::filesystem::remove_all(Options().path);
    model_.clear();
    requests_.clear();
    audit_entries_ = 0;
    Open();
  }

  std::string RandomId() const {
    RC_PRE(!model_.empty());
    auto it = model_.begin();
    std::advance(it, *rc::gen::inRange<size_t>(0, model_.size()));
    return it->first;
  }

  bool UndoIsUnderWay(const std::string& of) const {
    for (const auto& [id, restore] : model_) {
      if (restore.undo_of == of && !Ended(restore)) {
        return true;
      }
    }
    return false;
  }

  static bool Ended(const ModelRestore& restore) {
    return restore.state != state::QUEUED && restore.state != state::IN_DOUBT;
  }

  void CreateOne() {
    const std::string request = "r" + std::to_string(*rc::gen::inRange(0, 20));
    const std::string id = "rst-" + std::to_string(1000 + model_.size());
    state::RestoreRecord record = Restore(id, "t" + std::to_string(*rc::gen::inRange(0, 3)));
    const bool undo = !model_.empty() && *rc::gen::inRange(0, 3) == 0;
    if (undo) {
      record.mutable_order()->set_undo_of(RandomId());
    }
    const auto created =
        store_->CreateRestore({request, "CreateRestore", "d"}, record, Audit("created", id));
    if (const auto earlier = requests_.find(request); earlier != requests_.end()) {
      RC_ASSERT(created.ok() && created->existed && created->id == earlier->second);
      return;
    }
    const std::string& undo_of = record.order().undo_of();
    if (undo && (model_[undo_of].state != state::SUCCEEDED || UndoIsUnderWay(undo_of))) {
      RC_ASSERT(HasReason(created.status(), Reason::kNotUndoable));
      return;
    }
    RC_ASSERT(created.ok() && created->id == id);
    model_[id].undo_of = undo_of;
    requests_[request] = id;
    ++audit_entries_;
  }

  void Intend() {
    const std::string id = RandomId();
    if (Ended(model_[id])) {
      return;
    }
    const int64_t chunks = *rc::gen::inRange(1, 4);
    RC_ASSERT(store_->RecordIntent(id, AppendUndo(id, chunks)).ok());
    model_[id].undo_chunks = chunks;
  }

  void ClearIntent() {
    const std::string id = RandomId();
    RC_ASSERT(store_->ClearIntent(id).ok() == !Ended(model_[id]));
    if (!Ended(model_[id])) {
      model_[id].undo_chunks.reset();
    }
  }

  void EndOne() {
    const std::string id = RandomId();
    const auto outcome =
        *rc::gen::element(state::SUCCEEDED, state::FAILED, state::CANCELLED, state::IN_DOUBT);
    ModelRestore& restore = model_[id];
    const absl::Status ended = End(id, outcome);
    RC_ASSERT(ended.ok() == !Ended(restore));
    if (!ended.ok()) {
      return;
    }
    ++audit_entries_;
    restore.state = outcome;
    restore.has_certificate = outcome == state::SUCCEEDED;
    if (outcome == state::FAILED || outcome == state::CANCELLED) {
      restore.undo_chunks.reset();
    }
    if (outcome == state::SUCCEEDED && !restore.undo_of.empty()) {
      model_[restore.undo_of].state = state::UNDONE;
    }
  }

  void Check() {
    const auto records = store_->ListRestores({}, "", 1000);
    RC_ASSERT(records.ok() && records->size() == model_.size());
    for (const auto& record : *records) {
      const ModelRestore& restore = model_.at(record.id());
      RC_ASSERT(record.state() == restore.state);
      RC_ASSERT(record.order().undo_of() == restore.undo_of);
      RC_ASSERT(record.has_intent() == restore.undo_chunks.has_value());
      RC_ASSERT(store_->GetCertificate(record.id()).ok() == restore.has_certificate);
      if (restore.undo_chunks.has_value()) {
        RC_ASSERT(CountUndo(record.id()).value() == *restore.undo_chunks);
      }
    }
    RC_ASSERT(store_->ListAudit(0, 100000)->size() == static_cast<size_t>(audit_entries_));
    RC_ASSERT(store_->VerifyAudit().ok());
  }

  void Step() {
    switch (*rc::gen::inRange(0, 8)) {
      case 0:
      case 1:
      case 2:
        return CreateOne();
      case 3:
        return Intend();
      case 4:
        return ClearIntent();
      case 5:
      case 6:
        return EndOne();
      default:
        Open();
        return Check();
    }
  }
};

TEST_F(StateModelTest, IsAsItsModelAfterRandomOperationsAndReopening) {
  EXPECT_TRUE(rc::check([this] {
    Begin();
    CreateOne();
    const int steps = *rc::gen::inRange(5, 25);
    for (int i = 0; i < steps; ++i) {
      Step();
    }
    Open();
    Check();
  }));
}

}  // namespace
}  // namespace reinstate
