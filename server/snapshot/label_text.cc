#include "server/snapshot/label_text.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace reinstate {
namespace {

// A normaliser's result, or `text` as it is: ICU fails only without its data or without memory.
icu::UnicodeString Normalised(const icu::Normalizer2* normaliser, UErrorCode status,
                              const icu::UnicodeString& text) {
  if (U_FAILURE(status) || normaliser == nullptr) {
    return text;
  }
  icu::UnicodeString result = normaliser->normalize(text, status);
  return U_SUCCESS(status) ? result : text;
}

// NFKC_Casefold, then decomposed, so that accents are characters of their own.
icu::UnicodeString FoldAndDecompose(std::string_view text) {
  const icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* fold = icu::Normalizer2::getNFKCCasefoldInstance(status);
  const icu::UnicodeString folded = Normalised(fold, status, unicode);
  status = U_ZERO_ERROR;
  const icu::Normalizer2* decompose = icu::Normalizer2::getNFDInstance(status);
  return Normalised(decompose, status, folded);
}

// The block of the accents of European scripts. Marks of other scripts carry vowels and stay.
bool IsAccent(UChar32 c) { return c >= 0x0300 && c <= 0x036F; }

bool IsSeparator(UChar32 c) {
  const int8_t type = u_charType(c);
  return u_isUWhiteSpace(c) != 0 || type == U_DASH_PUNCTUATION || type == U_CONNECTOR_PUNCTUATION;
}

// The Levenshtein distance by rows of the usual table, or `limit` + 1 as soon as it must exceed it.
size_t BoundedDistance(std::u32string_view a, std::u32string_view b, size_t limit) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    size_t least = row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substitution, row[j] + 1, row[j - 1] + 1});
      least = std::min(least, row[j]);
    }
    if (least > limit) {
      return limit + 1;
    }
  }
  return row.back();
}

}  // namespace

std::u32string NormalisedLabel(std::string_view text) {
  const icu::UnicodeString folded = FoldAndDecompose(text);
  std::u32string result;
  result.reserve(static_cast<size_t>(folded.length()));
  bool separate = false;
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1)) {
    const UChar32 c = folded.char32At(i);
    if (IsSeparator(c)) {
      separate = !result.empty();
    } else if (!IsAccent(c) && u_ispunct(c) == 0) {
      if (separate) {
        result.push_back(U' ');
        separate = false;
      }
      result.push_back(static_cast<char32_t>(c));
    }
  }
  return result;
}

double LabelSimilarity(std::u32string_view query, std::u32string_view text) {
  if (query.empty() || text.empty()) {
    return 0;
  }
  const size_t longer = std::max(query.size(), text.size());
  const size_t shorter = std::min(query.size(), text.size());
  const size_t limit = longer / 3;
  double similarity = 0;
  if (text.find(query) != std::u32string_view::npos) {
    similarity = static_cast<double>(query.size()) / static_cast<double>(longer);
  }
  if (longer - shorter > limit) {
    return similarity;  // the distance is at least the difference in length
  }
  const size_t distance = BoundedDistance(query, text, limit);
  if (distance <= limit) {
    similarity =
        std::max(similarity, 1 - static_cast<double>(distance) / static_cast<double>(longer));
  }
  return similarity;
}

}  // namespace reinstate
