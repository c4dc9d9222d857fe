#include "server/snapshot/tenant_resolver.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "server/snapshot/label_text.h"

namespace reinstate {
namespace {

using Name = TenantRoster::Name;

// Which characters a text has, folded to 64 classes.
uint64_t CharactersOf(std::u32string_view text) {
  uint64_t mask = 0;
  for (const char32_t c : text) {
    mask |= uint64_t{1} << (c % 64);
  }
  return mask;
}

// Entries that have a text as a name of one sort: the first few, each once.
class Holders {
 public:
  void Add(uint32_t entry, size_t max) {
    if (!entries_.empty() && entries_.back() == entry) {
      return;
    }
    if (entries_.size() < max) {
      entries_.push_back(entry);
    } else {
      more_ = true;
    }
  }
  const std::vector<uint32_t>& entries() const { return entries_; }
  bool more() const { return more_; }

 private:
  std::vector<uint32_t> entries_;  // in the order in which names are visited, which is ascending
  bool more_ = false;
};

// A text that somebody looks for.
struct Query {
  std::u32string normalised;
  Holders ids;  // at most one
  Holders exact;
  Holders normally;
  ResolvedText result;
};

class Resolver {
 public:
  Resolver(const TenantRoster& roster, const ResolveLimits& limits)
      : roster_(roster), limits_(limits) {}

  void AddText(std::string_view text) {
    const auto [query, added] = by_text_.try_emplace(text);
    if (added) {
      query->second.normalised = NormalisedLabel(text);
      // Punctuation only has no normal form that says anything.
      if (!query->second.normalised.empty()) {
        by_normalised_[query->second.normalised].push_back(&query->second);
      }
      in_order_.push_back(&query->second);
    }
  }

  void Run() {
    for (const Name& name : roster_.names()) {
      Visit(name);
    }
    size_t sought = 0;
    for (Query* query : in_order_) {
      Decide(query);
      if (query->result.kind == ResolutionKind::kNone) {
        query->result.similar_not_sought = ++sought > limits_.max_sought;
        if (!query->result.similar_not_sought) {
          SeekSimilar(query);
        }
      }
    }
  }

  const ResolvedText& ResultOf(std::string_view text) const { return by_text_.at(text).result; }

 private:
  void Visit(const Name& name) {
    const auto same = by_text_.find(name.text);
    Query* exact = same == by_text_.end() ? nullptr : &same->second;
    if (exact != nullptr) {
      (name.is_id ? exact->ids : exact->exact).Add(name.entry, limits_.max_candidates);
    }
    const auto alike = by_normalised_.find(roster_.NormalisedOf(name));
    if (alike != by_normalised_.end()) {
      for (Query* query : alike->second) {
        if (query != exact) {
          query->normally.Add(name.entry, limits_.max_candidates);
        }
      }
    }
  }

  void Decide(Query* query) const {
    ResolvedText& result = query->result;
    for (const Holders* holders : {&query->ids, &query->exact, &query->normally}) {
      for (const uint32_t entry : holders->entries()) {
        AddHolder(entry, &result);
      }
      result.more_candidates = result.more_candidates || holders->more();
    }
    const size_t exact = query->exact.entries().size();
    if (!query->ids.entries().empty() || exact == 1) {
      result.kind = ResolutionKind::kExact;
    } else if (exact == 0 && query->normally.entries().size() == 1) {
      result.kind = ResolutionKind::kNormalised;
    } else if (!result.candidates.empty()) {
      result.kind = ResolutionKind::kAmbiguous;
    }
  }

  void AddHolder(uint32_t entry, ResolvedText* result) const {
    const bool known =
        std::any_of(result->candidates.begin(), result->candidates.end(),
                    [&](const ResolutionCandidate& candidate) { return candidate.entry == entry; });
    if (known) {
      return;
    }
    if (result->candidates.size() < limits_.max_candidates) {
      result->candidates.push_back({.entry = entry, .similarity = 1});
    } else {
      result->more_candidates = true;
    }
  }

  // Whether LabelSimilarity can be more than 0. Each edit removes at most one character from those
  // that a text has, and adds at most one.
  bool MayBeSimilar(std::u32string_view query, uint64_t characters, const Name& name,
                    uint64_t of_name) const {
    const size_t size = name.normalised_size;
    if ((characters & ~of_name) == 0 && size >= query.size()) {
      return true;  // may contain it
    }
    const size_t limit = std::max(query.size(), size) / 3;
    const size_t longer_by = size > query.size() ? size - query.size() : query.size() - size;
    return longer_by <= limit &&
           static_cast<size_t>(std::popcount(characters & ~of_name)) <= limit &&
           static_cast<size_t>(std::popcount(of_name & ~characters)) <= limit;
  }

  void SeekSimilar(Query* query) {
    PrepareToSeek();
    const uint64_t characters = CharactersOf(query->normalised);
    const std::vector<Name>& names = roster_.names();
    for (size_t i = 0; i < names.size(); ++i) {
      if (!MayBeSimilar(query->normalised, characters, names[i], characters_[i])) {
        continue;
      }
      const double similarity = LabelSimilarity(query->normalised, roster_.NormalisedOf(names[i]));
      if (similarity > 0) {
        Offer({.entry = names[i].entry, .similarity = similarity}, &query->result);
      }
    }
    if (!query->result.candidates.empty()) {
      query->result.kind = ResolutionKind::kSimilar;
    }
  }

  void PrepareToSeek() {
    if (!characters_.empty()) {
      return;
    }
    characters_.reserve(roster_.names().size());
    for (const Name& name : roster_.names()) {
      characters_.push_back(CharactersOf(roster_.NormalisedOf(name)));
    }
  }

  // Keeps the best, each entry once; of equal ones the first.
  void Offer(const ResolutionCandidate& offered, ResolvedText* result) const {
    std::vector<ResolutionCandidate>& best = result->candidates;
    const auto same = std::find_if(best.begin(), best.end(), [&](const auto& candidate) {
      return candidate.entry == offered.entry;
    });
    if (same != best.end()) {
      if (same->similarity >= offered.similarity) {
        return;
      }
      best.erase(same);
    }
    const auto place = std::find_if(best.begin(), best.end(), [&](const auto& candidate) {
      return candidate.similarity < offered.similarity;
    });
    best.insert(place, offered);
    if (best.size() > limits_.max_candidates) {
      best.pop_back();
      result->more_candidates = true;
    }
  }

  const TenantRoster& roster_;
  const ResolveLimits& limits_;
  std::unordered_map<std::string_view, Query> by_text_;
  std::unordered_map<std::u32string_view, std::vector<Query*>> by_normalised_;
  std::vector<Query*> in_order_;      // of their first appearance
  std::vector<uint64_t> characters_;  // CharactersOf each name, once something is sought
};

}  // namespace

std::vector<ResolvedText> ResolveTexts(const TenantRoster& roster,
                                       const std::vector<std::string>& texts,
                                       const ResolveLimits& limits) {
  Resolver resolver(roster, limits);
  for (const std::string& text : texts) {
    resolver.AddText(text);
  }
  resolver.Run();
  std::vector<ResolvedText> results;
  results.reserve(texts.size());
  for (const std::string& text : texts) {
    results.push_back(resolver.ResultOf(text));
  }
  return results;
}

}  // namespace reinstate
