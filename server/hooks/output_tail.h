#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace reinstate {

// The end of what a hook prints or answers, in bounded memory however much that is. Not
// thread-safe.
class OutputTail {
 public:
  static constexpr size_t kMaxBytes = 2048;

  void Append(std::string_view text);

  // In one line, fit for messages: bytes that are no text are replaced; begins with … if there was
  // more. Empty if there was nothing but white space.
  std::string Text() const;

 private:
  std::string tail_;  // up to twice kMaxBytes, so that not each call moves it
  bool cut_ = false;
};

}  // namespace reinstate
