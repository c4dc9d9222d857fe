#pragma once

#include <string>
#include <string_view>

namespace reinstate {

// What is left of a label or an id when spellings are compared: NFKC with case folding (Unicode's
// NFKC_Casefold), Latin, Greek and Cyrillic accents dropped, punctuation dropped, dashes and
// underscores taken as white space, white space collapsed and trimmed. UTF-32, so that a distance
// counts characters. Invalid UTF-8 is read as U+FFFD. Empty if the text has nothing but
// punctuation.
std::u32string NormalisedLabel(std::string_view text);

// How alike two normalised texts are, in [0, 1]: 0 if they do not count as similar. Similar is a
// Levenshtein distance of at most a third of the longer one, or that `text` contains `query`.
double LabelSimilarity(std::u32string_view query, std::u32string_view text);

}  // namespace reinstate
