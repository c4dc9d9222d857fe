#include "server/rpc/batch_broadcast.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/time/clock.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// How long the thread sleeps at most: the clock may be set.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);
// How soon after a look a batch that changed is looked at again. Restores tell of each of their
// steps: to wake the thread for all of them would cost more than some of those steps.
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(10);

struct SentEdition {
  BatchBroadcast::Edition edition;
  grpc::ByteBuffer bytes;
};

// Null before the first.
using Latest = std::shared_ptr<const absl::StatusOr<SentEdition>>;

Latest Encode(absl::StatusOr<BatchBroadcast::Edition> edition) {
  if (!edition.ok()) {
    return std::make_shared<const absl::StatusOr<SentEdition>>(edition.status());
  }
  const grpc::Slice slice(edition->message);
  return std::make_shared<const absl::StatusOr<SentEdition>>(
      SentEdition{.edition = *std::move(edition), .bytes = grpc::ByteBuffer(&slice, 1)});
}

}  // namespace

// What is known of a batch while somebody watches it.
struct BatchBroadcast::Topic {
  std::string batch;
  std::shared_ptr<void> watch;  // set before anybody else sees the topic

  Mutex mu;
  Latest latest ABSL_GUARDED_BY(mu);
  absl::Time built ABSL_GUARDED_BY(mu);
  bool urgent ABSL_GUARDED_BY(mu) = true;  // somebody needs a newer one than `latest`
};

// One who watches a batch.
class BatchBroadcast::Follower final : public StreamSource {
 public:
  Follower(BatchBroadcast* broadcast, std::string batch)
      : broadcast_(broadcast), batch_(std::move(batch)) {}
  ~Follower() override {
    guard_.reset();
    broadcast_->Leave(std::move(topic_));
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  absl::Status Start(std::function<void()> wake) override {
    ASSIGN_OR_RETURN(const BatchStamp stamp, broadcast_->options_.stamp(batch_));
    least_revision_ = stamp.revision;
    // Before the first look, so that no change falls in between.
    guard_ = broadcast_->followers_.Watch(batch_, std::move(wake));
    topic_ = broadcast_->Join(batch_);
    {
      MutexLock lock(&topic_->mu);
      if (topic_->latest != nullptr && IsNew(*topic_->latest)) {
        return absl::OkStatus();
      }
      seen_ = topic_->latest;
      topic_->urgent = true;
    }
    broadcast_->LookNow(batch_);
    return absl::OkStatus();
  }

  absl::StatusOr<Produced> Next(google::protobuf::Message* /*message*/) override {
    if (ended_) {
      return Produced::kEnd;
    }
    Latest latest;
    {
      MutexLock lock(&topic_->mu);
      latest = topic_->latest;
    }
    if (latest == nullptr || latest == seen_) {
      return Produced::kNothingYet;
    }
    RETURN_IF_ERROR(latest->status());
    if (!IsNew(*latest)) {
      return Produced::kNothingYet;
    }
    seen_ = std::move(latest);
    ended_ = (*seen_)->edition.final;
    return Produced::kMessage;
  }

  const grpc::ByteBuffer* Encoded() const override { return &(*seen_)->bytes; }

 private:
  bool IsNew(const absl::StatusOr<SentEdition>& latest) const {
    return latest.ok() && latest->edition.stamp.revision >= least_revision_;
  }

  BatchBroadcast* const broadcast_;
  const std::string batch_;
  int64_t least_revision_ = 0;
  std::shared_ptr<void> guard_;
  std::shared_ptr<Topic> topic_;
  Latest seen_;  // what was sent last
  bool ended_ = false;
};

BatchBroadcast::BatchBroadcast(Options options)
    : options_(std::move(options)), thread_([this] { Run(); }) {}

BatchBroadcast::~BatchBroadcast() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

std::unique_ptr<StreamSource> BatchBroadcast::Follow(const std::string& batch) {
  return std::make_unique<Follower>(this, batch);
}

std::shared_ptr<BatchBroadcast::Topic> BatchBroadcast::Join(const std::string& batch) {
  auto made = std::make_shared<Topic>();
  made->batch = batch;
  {
    MutexLock lock(&mu_);
    const std::weak_ptr<Topic>& place = topics_[batch];
    if (auto topic = place.lock(); topic != nullptr) {
      return topic;
    }
  }
  // Without the lock, which it takes when the batch changes.
  made->watch = options_.watch(batch, [this, batch] { LookSoon(batch); });
  MutexLock lock(&mu_);
  std::weak_ptr<Topic>& place = topics_[batch];
  if (auto topic = place.lock(); topic != nullptr) {
    return topic;  // somebody was quicker
  }
  place = made;
  return made;
}

void BatchBroadcast::Leave(std::shared_ptr<Topic> topic) {
  topic.reset();  // without the lock: ending its watch waits for a LookSoon under way
  MutexLock lock(&mu_);
  std::erase_if(topics_, [](const auto& entry) { return entry.second.expired(); });
}

void BatchBroadcast::LookNow(const std::string& batch) {
  MutexLock lock(&mu_);
  LookAt(batch, absl::InfinitePast());
}

void BatchBroadcast::LookSoon(const std::string& batch) {
  MutexLock lock(&mu_);
  LookAt(batch, looked_ + kBetweenLooks);
}

void BatchBroadcast::LookAt(const std::string& batch, absl::Time time) {
  const auto [due, added] = due_.emplace(batch, time);
  if (added || due->second > time) {
    due->second = time;
    changed_.Signal();
  }
}

std::shared_ptr<BatchBroadcast::Topic> BatchBroadcast::TakeDue() {
  std::shared_ptr<Topic> topic;
  MutexLock lock(&mu_);
  while (!stopping_ && topic == nullptr) {
    const absl::Time now = absl::Now();
    const auto next = std::min_element(
        due_.begin(), due_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (next == due_.end()) {
      changed_.Wait(&mu_);
    } else if (next->second > now) {
      changed_.WaitFor(&mu_, std::min(next->second - now, kLongestSleep));
    } else {
      const auto found = topics_.find(next->first);
      topic = found == topics_.end() ? nullptr : found->second.lock();
      due_.erase(next);
      looked_ = now;
    }
  }
  return topic;
}

void BatchBroadcast::Run() {
  // A topic is let go without the lock.
  while (const std::shared_ptr<Topic> topic = TakeDue()) {
    if (const auto next = Update(topic.get()); next.has_value()) {
      MutexLock lock(&mu_);
      due_.emplace(topic->batch, *next);  // unless it is to be looked at sooner
    }
  }
}

std::optional<absl::Time> BatchBroadcast::Update(Topic* topic) {
  const absl::StatusOr<BatchStamp> stamp = options_.stamp(topic->batch);
  Latest before;
  {
    MutexLock lock(&topic->mu);
    const absl::Time now = absl::Now();
    before = topic->latest;
    const bool same_state = before != nullptr && before->ok() && stamp.ok() &&
                            (*before)->edition.stamp.state == stamp->state;
    const absl::Time due = topic->built + options_.interval;
    if (same_state && !topic->urgent && topic->built <= now && now < due) {
      return due;
    }
    topic->urgent = false;
  }
  Latest built = Encode(options_.build(topic->batch));
  const bool same = before != nullptr && before->ok() && built->ok() &&
                    (*before)->edition.stamp.revision == (*built)->edition.stamp.revision &&
                    (*before)->edition.message == (*built)->edition.message;
  {
    MutexLock lock(&topic->mu);
    topic->built = absl::Now();
    if (!same) {
      topic->latest = std::move(built);
    }
  }
  if (!same) {
    followers_.Notify(topic->batch);
  }
  return std::nullopt;
}

}  // namespace reinstate
