#include "storage/live/postgres/advisory_locks.h"

#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/model/digest.h"

namespace reinstate {
namespace {

int64_t NumberOf(std::initializer_list<std::string_view> words) {
  Digest digest;
  for (const std::string_view word : words) {
    digest.Add(word);
  }
  const std::string bytes = digest.Finish();
  uint64_t number = 0;
  for (size_t i = 0; i < sizeof(number); ++i) {
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return static_cast<int64_t>(number);
}

}  // namespace

int64_t TenantLockNumber(const TenantId& tenant, std::string_view word) {
  return NumberOf({"reinstate tenant lock", word, tenant.value()});
}

int64_t SessionMarkNumber() { return NumberOf({"reinstate session"}); }

int64_t TurnNumber(PgOid table) { return NumberOf({"reinstate turn", absl::StrCat(table)}); }

}  // namespace reinstate
