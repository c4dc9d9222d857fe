#include "storage/model/read_ahead_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "storage/base/error.h"

namespace reinstate {
namespace {

// Numbered records, and then `end`.
class Numbers final : public RecordStream {
 public:
  Numbers(int count, size_t payload_bytes, absl::StatusOr<bool> end)
      : count_(count), payload_bytes_(payload_bytes), end_(std::move(end)) {}

  absl::StatusOr<bool> Next(Record* record) override {
    if (next_ == count_) {
      return end_;
    }
    record->key.Assign(std::to_string(next_));
    record->payload.assign(payload_bytes_, static_cast<char>('a' + next_ % 26));
    ++next_;
    return true;
  }

 private:
  const int count_;
  const size_t payload_bytes_;
  const absl::StatusOr<bool> end_;
  int next_ = 0;
};

void ExpectNumbers(int count, size_t payload_bytes, RecordStream* stream) {
  Record record;
  for (int i = 0; i < count; ++i) {
    const absl::StatusOr<bool> more = stream->Next(&record);
    ASSERT_TRUE(more.ok() && *more) << i;
    ASSERT_EQ(record.key.bytes(), std::to_string(i));
    ASSERT_EQ(record.payload, std::string(payload_bytes, static_cast<char>('a' + i % 26)));
  }
}

TEST(ReadAheadStream, GivesTheRecordsOfTheStreamAndItsEndAgainAndAgain) {
  for (const int count : {0, 1, 999, 1000, 1001, 12'345}) {
    SCOPED_TRACE(count);
    ReadAheadStream stream(std::make_unique<Numbers>(count, 20, false));
    ExpectNumbers(count, 20, &stream);
    Record record;
    for (int i = 0; i < 3; ++i) {
      const absl::StatusOr<bool> more = stream.Next(&record);
      EXPECT_TRUE(more.ok() && !*more);
    }
  }
}

TEST(ReadAheadStream, GivesRecordsThatAreLargerThanABatch) {
  ReadAheadStream stream(std::make_unique<Numbers>(20, 1 << 20, false));
  ExpectNumbers(20, 1 << 20, &stream);
}

TEST(ReadAheadStream, EndsWithTheErrorOfTheStreamAfterAllThatCameBefore) {
  ReadAheadStream stream(
      std::make_unique<Numbers>(1500, 20, MakeError(Reason::kCorrupt, "a block is damaged")));
  ExpectNumbers(1500, 20, &stream);
  Record record;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(HasReason(stream.Next(&record).status(), Reason::kCorrupt));
  }
}

TEST(ReadAheadStream, EndsItsThreadWhenItIsNotReadToTheEnd) {
  for (const int read : {0, 1, 1500}) {
    ReadAheadStream stream(std::make_unique<Numbers>(1'000'000'000, 20, false));
    ExpectNumbers(read, 20, &stream);
  }
}

}  // namespace
}  // namespace reinstate
