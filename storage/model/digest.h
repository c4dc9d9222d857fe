#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace reinstate {

// SHA-256 (FIPS 180-4, by OpenSSL) over a sequence of parts, each framed by its length, so that no
// two sequences of parts give the same input. Not thread-safe; movable.
class Digest {
 public:
  static constexpr size_t kBytes = 32;

  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  void Add(std::string_view part);
  void Add(uint64_t number);

  // The 32 bytes. Nothing may be added afterwards.
  std::string Finish();

  // SHA-256 of `bytes` alone, without framing.
  static std::string Of(std::string_view bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace reinstate
