#include "server/rpc/batch_broadcast.h"

#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/jobs/job_watchers.h"
#include "storage/base/error.h"
#include "storage/base/mutex.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

std::string Text(const grpc::ByteBuffer& bytes) {
  grpc::Slice slice;
  EXPECT_TRUE(bytes.DumpToSingleSlice(&slice).ok());
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

// A batch whose states are the numbers of its changes.
class ChangingBatch {
 public:
  BatchBroadcast::Options Options(absl::Duration interval) {
    return {.stamp = [this](const std::string& id) -> absl::StatusOr<BatchStamp> {
              ++looks_;
              if (id != "bat-1") {
                return MakeError(Reason::kBatchNotFound, "no such batch");
              }
              MutexLock lock(&mu_);
              return stamp_;
            },
            .build = [this](const std::string&) -> absl::StatusOr<BatchBroadcast::Edition> {
              ++builds_;
              MutexLock lock(&mu_);
              return BatchBroadcast::Edition{.stamp = stamp_,
                                             .message = absl::StrCat(changes_),
                                             .final = stamp_.state == state::BATCH_SUCCEEDED};
            },
            .watch =
                [this](const std::string& id, std::function<void()> on_change) {
                  return watchers_.Watch(id, std::move(on_change));
                },
            .interval = interval};
  }

  // Something of it, as the progress of a restore.
  void Change() { Change(/*record=*/false, state::BATCH_RUNNING); }
  // Something that a person changes.
  void ChangeRecord() { Change(/*record=*/true, state::BATCH_RUNNING); }
  void Go(state::BatchState state) { Change(/*record=*/true, state); }

  int builds() const { return builds_; }
  int looks() const { return looks_; }

 private:
  void Change(bool record, state::BatchState state) {
    {
      MutexLock lock(&mu_);
      ++changes_;
      stamp_.state = state;
      stamp_.revision += record ? 1 : 0;
    }
    watchers_.Notify("bat-1");
  }

  std::atomic<int> builds_ = 0;
  std::atomic<int> looks_ = 0;
  JobWatchers watchers_;
  Mutex mu_;
  int changes_ ABSL_GUARDED_BY(mu_) = 0;
  BatchStamp stamp_ ABSL_GUARDED_BY(mu_) = {.state = state::BATCH_RUNNING, .revision = 1};
};

// Reads a stream as the reactor of a call does.
class Stream {
 public:
  Stream(BatchBroadcast* broadcast, const std::string& batch) : source_(broadcast->Follow(batch)) {
    started_ = source_->Start([this] {
      MutexLock lock(&mu_);
      woken_ = true;
      wake_.SignalAll();
    });
  }

  const absl::Status& started() const { return started_; }

  // The next state, once there is one; empty at the end.
  std::string Next() {
    while (true) {
      {
        MutexLock lock(&mu_);
        woken_ = false;
      }
      const absl::StatusOr<Produced> produced = source_->Next(nullptr);
      EXPECT_THAT(produced, IsOk());
      if (!produced.ok() || *produced == Produced::kEnd) {
        return "";
      }
      if (*produced == Produced::kMessage) {
        return Text(*source_->Encoded());
      }
      MutexLock lock(&mu_);
      while (!woken_) {
        wake_.Wait(&mu_);
      }
    }
  }

 private:
  Mutex mu_;
  CondVar wake_;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status started_;
  std::unique_ptr<StreamSource> source_;  // ended before what it wakes
};

TEST(BatchBroadcast, BuildsAStateOnceForAllWhoWatch) {
  ChangingBatch batch;
  BatchBroadcast broadcast(batch.Options(absl::InfiniteDuration()));
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 1000; ++i) {
    streams.push_back(std::make_unique<Stream>(&broadcast, "bat-1"));
    EXPECT_EQ(streams.back()->Next(), "0");
  }
  EXPECT_EQ(batch.builds(), 1);
  batch.Go(state::BATCH_SUCCEEDED);
  for (const auto& stream : streams) {
    EXPECT_EQ(stream->Next(), "1");
    EXPECT_EQ(stream->Next(), "");
  }
  EXPECT_EQ(batch.builds(), 2);
}

TEST(BatchBroadcast, TellsOfAnotherStateAtOnceAndOfProgressInItsTime) {
  ChangingBatch batch;
  BatchBroadcast broadcast(batch.Options(absl::InfiniteDuration()));
  Stream stream(&broadcast, "bat-1");
  EXPECT_EQ(stream.Next(), "0");
  for (int i = 0; i < 100; ++i) {
    batch.Change();
  }
  batch.Go(state::BATCH_PAUSED);
  EXPECT_EQ(stream.Next(), "101");
  EXPECT_EQ(batch.builds(), 2);
}

TEST(BatchBroadcast, LooksAtABatchOnceForManyChanges) {
  constexpr int kChanges = 100'000;
  ChangingBatch batch;
  BatchBroadcast broadcast(batch.Options(absl::InfiniteDuration()));
  Stream stream(&broadcast, "bat-1");
  EXPECT_EQ(stream.Next(), "0");
  const absl::Time begin = absl::Now();
  for (int i = 0; i < kChanges; ++i) {
    batch.Change();
  }
  batch.Go(state::BATCH_SUCCEEDED);
  EXPECT_EQ(stream.Next(), absl::StrCat(kChanges + 1));
  constexpr int kFirstAndLast = 6;
  EXPECT_LE(batch.looks(), kFirstAndLast + (absl::Now() - begin) / absl::Milliseconds(10));
}

TEST(BatchBroadcast, TellsOfProgressOnceTheIntervalIsOver) {
  ChangingBatch batch;
  BatchBroadcast broadcast(batch.Options(absl::Milliseconds(1)));
  Stream stream(&broadcast, "bat-1");
  EXPECT_EQ(stream.Next(), "0");
  batch.Change();
  EXPECT_EQ(stream.Next(), "1");
}

TEST(BatchBroadcast, ShowsWhoComesWhatWasChangedBefore) {
  ChangingBatch batch;
  BatchBroadcast broadcast(batch.Options(absl::InfiniteDuration()));
  Stream first(&broadcast, "bat-1");
  EXPECT_EQ(first.Next(), "0");
  batch.ChangeRecord();
  Stream second(&broadcast, "bat-1");
  EXPECT_EQ(second.Next(), "1");
}

TEST(BatchBroadcast, ShowsWhoComesAfterEverybodyHasLeftWhatWasChanged) {
  ChangingBatch batch;
  BatchBroadcast broadcast(batch.Options(absl::InfiniteDuration()));
  EXPECT_EQ(Stream(&broadcast, "bat-1").Next(), "0");
  batch.ChangeRecord();
  EXPECT_EQ(Stream(&broadcast, "bat-1").Next(), "1");
}

// The progress that was built for those who left may come first if the thread still has it.
TEST(BatchBroadcast, TellsWhoComesAfterEverybodyHasLeftOfTheProgressMeanwhile) {
  ChangingBatch batch;
  BatchBroadcast broadcast(batch.Options(absl::Milliseconds(1)));
  EXPECT_EQ(Stream(&broadcast, "bat-1").Next(), "0");
  batch.Change();
  Stream second(&broadcast, "bat-1");
  std::string progress = second.Next();
  if (progress == "0") {
    progress = second.Next();
  }
  EXPECT_EQ(progress, "1");
}

TEST(BatchBroadcast, RefusesABatchThatDoesNotExist) {
  ChangingBatch batch;
  BatchBroadcast broadcast(batch.Options(absl::InfiniteDuration()));
  EXPECT_THAT(Stream(&broadcast, "bat-2").started(), FailsWith(Reason::kBatchNotFound));
}

}  // namespace
}  // namespace reinstate
