#include "tests/support/made_up_text.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace reinstate {
namespace {

constexpr size_t kWords = 6000;
constexpr size_t kWordTable = 1 << 16;
constexpr int64_t kSmallestTenant = 20;

std::string MakeWord(SplitMix* random) {
  static constexpr std::array<std::string_view, 24> kSyllables = {
      "ba",  "con", "de", "er",  "fi", "gra", "in",  "ka",  "lo", "men", "no",   "or",
      "pre", "qui", "re", "sta", "ti", "un",  "ver", "wor", "al", "ble", "sion", "ed"};
  std::string word;
  for (uint64_t i = 0, syllables = 1 + random->Below(4); i < syllables; ++i) {
    word += random->Of(kSyllables);
  }
  return word;
}

// Every index below kWords as often as Zipf's law has it.
std::vector<uint16_t> ZipfTable() {
  double total = 0;
  for (size_t rank = 1; rank <= kWords; ++rank) {
    total += 1.0 / static_cast<double>(rank);
  }
  std::vector<uint16_t> table;
  table.reserve(kWordTable + kWords);
  for (size_t rank = 1; rank <= kWords; ++rank) {
    const double share = kWordTable / (static_cast<double>(rank) * total);
    table.insert(table.end(), static_cast<size_t>(std::ceil(share)),
                 static_cast<uint16_t>(rank - 1));
  }
  return table;
}

}  // namespace

uint64_t SplitMix::Next() {
  state_ += 0x9E3779B97F4A7C15ULL;
  uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

uint64_t MixSeeds(uint64_t a, uint64_t b, uint64_t c) {
  return SplitMix(SplitMix(SplitMix(a).Next() ^ b).Next() ^ c).Next();
}

MadeUpText::MadeUpText(SplitMix* random) : frequent_words_(ZipfTable()) {
  words_.reserve(kWords);
  for (size_t i = 0; i < kWords; ++i) {
    words_.push_back(MakeWord(random));
  }
}

const std::string& MadeUpText::AnyWord(SplitMix* random) const {
  return words_[random->Below(kWords)];
}

const std::string& MadeUpText::Word(SplitMix* random) const {
  return words_[frequent_words_[random->Below(frequent_words_.size())]];
}

void MadeUpText::AppendText(int words, SplitMix* random, std::string* text) const {
  const auto most = static_cast<uint64_t>(2 * words - 1);
  for (uint64_t i = 0, count = 1 + random->Below(most); i < count; ++i) {
    text->append(i == 0 ? "" : " ").append(Word(random));
  }
}

std::vector<int64_t> LongTailSizes(int64_t tenants, int64_t rows, uint64_t seed) {
  double total = 0;
  for (int64_t rank = 1; rank <= tenants; ++rank) {
    total += 1.0 / static_cast<double>(rank);
  }
  std::vector<int64_t> sizes;
  sizes.reserve(static_cast<size_t>(tenants));
  for (int64_t rank = 1; rank <= tenants; ++rank) {
    const double share = static_cast<double>(rows) / (static_cast<double>(rank) * total);
    sizes.push_back(std::max(kSmallestTenant, static_cast<int64_t>(share)));
  }
  std::shuffle(sizes.begin(), sizes.end(), std::mt19937_64(seed));
  return sizes;
}

}  // namespace reinstate
