#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reinstate {

// SplitMix64 (Steele, Lea, Flood 2014): a quick generator whose every seed is a good one. Not
// thread-safe.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}

  uint64_t Next();
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  template <typename T, size_t N>
  const T& Of(const std::array<T, N>& values) {
    return values[Below(N)];
  }

 private:
  uint64_t state_;
};

// One seed out of several numbers.
uint64_t MixSeeds(uint64_t a, uint64_t b, uint64_t c = 0);

// Words that nobody has said, as frequent as Zipf's law has it, so that texts of them compress
// about as what people write does. Thread-safe once made.
class MadeUpText {
 public:
  // Takes its words from `random`.
  explicit MadeUpText(SplitMix* random);

  // Any word, each as likely as the others.
  const std::string& AnyWord(SplitMix* random) const;

  // A word, the frequent ones more likely.
  const std::string& Word(SplitMix* random) const;

  // Appends 1 to 2 × `words` − 1 words with spaces between them.
  void AppendText(int words, SplitMix* random, std::string* text) const;

 private:
  std::vector<std::string> words_;
  std::vector<uint16_t> frequent_words_;  // indices into words_, each as often as it is used
};

// Sizes of tenants that fall as 1/rank and add up to about `rows`; each at least 20. Shuffled, so
// that the order of tenants is not the order of sizes.
std::vector<int64_t> LongTailSizes(int64_t tenants, int64_t rows, uint64_t seed = 1);

}  // namespace reinstate
