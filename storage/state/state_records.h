#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/model/tenant_id.h"
#include "storage/state/state_database.h"

namespace reinstate {

// Parses the value of a record. CORRUPT.
template <typename Message>
absl::StatusOr<Message> ParseRecord(StateFamily family, std::string_view value) {
  Message message;
  if (!message.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("a record of the state's family ", Absl(StateFamilyName(family)),
                                  " cannot be read; bring the state back from a copy"));
  }
  return message;
}

// The record with this id; `missing` if there is none, naming `what` it is.
template <typename Message>
absl::StatusOr<Message> GetById(const StateDatabase& database, StateFamily family,
                                const std::string& id, Reason missing, std::string_view what) {
  Message message;
  ASSIGN_OR_RETURN(const bool found, database.Get(family, StateKeys::ForId(id), &message));
  if (!found) {
    return MakeError(missing, absl::StrCat("there is no ", Absl(what), " ", Printable(id)));
  }
  return message;
}

// Up to `limit` records for which `matches`, from those whose id is before `after` (all if empty),
// the largest id first.
template <typename Message, typename Predicate>
absl::StatusOr<std::vector<Message>> ListNewestFirst(const StateDatabase& database,
                                                     StateFamily family, const std::string& after,
                                                     int64_t limit, const Predicate& matches) {
  std::vector<Message> messages;
  RETURN_IF_ERROR(
      database.Scan(family, StateDatabase::Order::kDescending,
                    after.empty() ? std::string() : StateKeys::ForId(after),
                    [&](std::string_view, std::string_view value) -> absl::StatusOr<bool> {
                      if (static_cast<int64_t>(messages.size()) >= limit) {
                        return false;
                      }
                      ASSIGN_OR_RETURN(Message message, ParseRecord<Message>(family, value));
                      if (matches(message)) {
                        messages.push_back(std::move(message));
                      }
                      return true;
                    }));
  return messages;
}

// All records for which `matches`, the smallest id first.
template <typename Message, typename Predicate>
absl::StatusOr<std::vector<Message>> ListAll(const StateDatabase& database, StateFamily family,
                                             const Predicate& matches) {
  std::vector<Message> messages;
  RETURN_IF_ERROR(
      database.Scan(family, StateDatabase::Order::kAscending, "",
                    [&](std::string_view, std::string_view value) -> absl::StatusOr<bool> {
                      ASSIGN_OR_RETURN(Message message, ParseRecord<Message>(family, value));
                      if (matches(message)) {
                        messages.push_back(std::move(message));
                      }
                      return true;
                    }));
  return messages;
}

}  // namespace reinstate
