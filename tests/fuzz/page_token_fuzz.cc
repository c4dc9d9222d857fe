// Page tokens: any text is read or refused, and what is read gives the same token again.

#include <cstdint>
#include <string>
#include <vector>

#include "reinstate/v1/restore_service.pb.h"
#include "server/rpc/page_query.h"
#include "storage/base/error.h"
#include "tests/fuzz/require.h"

namespace reinstate {
namespace {

void ReadToken(const std::string& token) {
  v1::ListRestoresRequest request;
  request.set_page_token(token);
  const absl::StatusOr<PageQuery> query = PageQuery::Parse(request, 2);
  if (!query.ok()) {
    Require(HasReason(query.status(), Reason::kPageTokenInvalid), "the token is what is refused");
  } else if (!query->first()) {
    Require(query->Token({query->position(0), query->position(1)}) == token,
            "a position has one token");
  }
}

void GiveAndReadToken(const std::string& bytes) {
  v1::ListRestoresRequest request;
  const std::vector<std::string> position = {bytes.substr(0, bytes.size() / 2),
                                             bytes.substr(bytes.size() / 2)};
  const absl::StatusOr<PageQuery> first = PageQuery::Parse(request, 2);
  Require(first.ok(), "a request without a token is one");
  request.set_page_token(first->Token(position));
  const absl::StatusOr<PageQuery> next = PageQuery::Parse(request, 2);
  if (next.ok()) {  // not if it is too long
    Require(next->first() || (next->position(0) == position[0] && next->position(1) == position[1]),
            "a token is read as it was given");
  }
  request.set_store("another filter");
  Require(!PageQuery::Parse(request, 2).ok() || request.page_token().empty(),
          "a token is bound to its filter");
}

}  // namespace
}  // namespace reinstate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  reinstate::ReadToken(bytes);
  reinstate::GiveAndReadToken(bytes);
  return 0;
}
