#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
#include "storage/base/mutex.h"

namespace reinstate::bench {

// Many people who watch the same batch. Not thread-safe.
class BatchWatchers {
 public:
  // Over how many connections they do.
  static constexpr int kConnections = 50;
  // Between one and the next: nobody begins in the same moment as a thousand others.
  static constexpr absl::Duration kBetween = absl::Milliseconds(1);

  // Begins so many watches, which then go on at once.
  BatchWatchers(const std::string& address, const std::string& batch, int watchers);

  // Ends what has not ended.
  ~BatchWatchers();
  BatchWatchers(const BatchWatchers&) = delete;
  BatchWatchers& operator=(const BatchWatchers&) = delete;

  struct Outcome {
    int64_t told = 0;          // how many of them were told that the batch has ended
    absl::Time last_told;      // when the last of these was
    int64_t there_before = 0;  // how many were told of the batch before it had ended
    int64_t messages = 0;      // that all got together
    absl::Status failure;      // the first of one that was not told, if any
  };
  // Waits until all watches have ended.
  Outcome Await();

 private:
  class Watcher;

  void AwaitAll();

  std::vector<std::unique_ptr<v1::BatchService::Stub>> stubs_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

}  // namespace reinstate::bench
