#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace reinstate {

// Which page of a list a request asks for. Tokens are opaque to clients: they hold where the next
// page begins, bound to the request's other fields, so that a token is refused with another filter.
// They need not be kept secret and hold no rights. A value.
class PageQuery {
 public:
  static constexpr int64_t kDefaultSize = 100;
  static constexpr int64_t kMaxSize = 1000;

  // Reads the fields `page_size` and `page_token` of `request`. INVALID_ARGUMENT for a bad size;
  // PAGE_TOKEN_INVALID if the token is malformed or belongs to another request; it must have
  // `parts` parts.
  static absl::StatusOr<PageQuery> Parse(const google::protobuf::Message& request, size_t parts);

  // At most how many entries the page has.
  int64_t size() const { return size_; }

  bool first() const { return position_.empty(); }

  // Part `i` of the position that the page before ended with. Not for the first page.
  const std::string& position(size_t i) const { return position_.at(i); }

  // The token of the page that follows `position`.
  std::string Token(const std::vector<std::string>& position) const;

 private:
  int64_t size_ = kDefaultSize;
  std::string filter_digest_;
  std::vector<std::string> position_;  // empty: the first page
};

}  // namespace reinstate
