#include "tests/support/prometheus_text.h"

#include <algorithm>
#include <limits>
#include <regex>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

using Labels = PrometheusText::Labels;
using Sample = PrometheusText::Sample;
using Family = PrometheusText::Family;

absl::Status Bad(const std::string& what, const std::string& where) {
  return absl::DataLossError(absl::StrCat(what, ": ", where));
}

absl::StatusOr<Labels> ParseLabels(const std::string& text) {
  static const std::regex kLabel(R"re(([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)")re");
  Labels labels;
  size_t at = 0;
  while (at < text.size()) {
    std::smatch match;
    const auto begin = text.cbegin() + static_cast<std::ptrdiff_t>(at);
    if (!std::regex_search(begin, text.cend(), match, kLabel,
                           std::regex_constants::match_continuous) ||
        !labels.emplace(match[1], match[2]).second) {
      return Bad("bad labels", text);
    }
    at += static_cast<size_t>(match.length());
    if (at < text.size() && text[at++] != ',') {
      return Bad("no comma between labels", text);
    }
  }
  return labels;
}

// The labels of a histogram's or summary's sample without the one that is its own.
Labels SeriesOf(Labels labels) {
  labels.erase("le");
  labels.erase("quantile");
  return labels;
}

// Bounds and cumulative counts.
bool Ascends(const std::vector<std::pair<double, double>>& buckets) {
  const auto does_not = [](const auto& a, const auto& b) {
    return a.first >= b.first || a.second > b.second;
  };
  return std::adjacent_find(buckets.begin(), buckets.end(), does_not) == buckets.end();
}

absl::Status CheckHistogram(const std::string& name, const Family& family) {
  std::map<Labels, std::vector<std::pair<double, double>>> buckets;
  std::map<Labels, double> counts;
  std::set<Labels> sums;
  for (const Sample& sample : family.samples) {
    double bound = 0;
    if (sample.name == name + "_bucket") {
      if (!sample.labels.contains("le") || !absl::SimpleAtod(sample.labels.at("le"), &bound)) {
        return Bad("a bucket without a bound", name);
      }
      buckets[SeriesOf(sample.labels)].emplace_back(bound, sample.value);
    } else if (sample.name == name + "_count") {
      counts[sample.labels] = sample.value;
    } else if (sample.name == name + "_sum") {
      sums.insert(sample.labels);
    } else {
      return Bad("not of a histogram", sample.name);
    }
  }
  for (const auto& [labels, series] : buckets) {
    if (!Ascends(series) || series.back().first != std::numeric_limits<double>::infinity() ||
        !counts.contains(labels) || counts.at(labels) != series.back().second ||
        !sums.contains(labels)) {
      return Bad("buckets that do not add up", name);
    }
  }
  return counts.size() == buckets.size() ? absl::OkStatus() : Bad("no buckets", name);
}

absl::Status CheckFamily(const std::string& name, const Family& family) {
  std::set<std::pair<std::string, Labels>> seen;
  for (const Sample& sample : family.samples) {
    if (!seen.emplace(sample.name, sample.labels).second) {
      return Bad("a series twice", sample.name);
    }
    if (family.type == "counter" && !(sample.value >= 0)) {
      return Bad("a counter below 0", sample.name);
    }
  }
  if (family.help.empty() || family.type.empty()) {
    return Bad("a family without HELP and TYPE", name);
  }
  if ((family.type == "counter") != absl::EndsWith(name, "_total")) {
    return Bad("counters, and nothing else, end in _total", name);
  }
  return family.type == "histogram" ? CheckHistogram(name, family) : absl::OkStatus();
}

bool BelongsTo(const std::string& sample, const std::string& family, const std::string& type) {
  if (sample == family) {
    return type != "histogram";
  }
  const bool has_parts = type == "histogram" || type == "summary";
  return has_parts && (sample == family + "_sum" || sample == family + "_count" ||
                       (type == "histogram" && sample == family + "_bucket"));
}

}  // namespace

absl::Status PrometheusText::ReadComment(const std::string& line) {
  static const std::regex kComment(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+))");
  static const std::set<std::string> kTypes = {"counter", "gauge", "histogram", "summary",
                                               "untyped"};
  std::smatch match;
  if (!std::regex_match(line, match, kComment)) {
    return Bad("neither HELP nor TYPE", line);
  }
  const std::string name = match[2];
  const bool help = match[1] == "HELP";
  if (name != present_ && families_.contains(name)) {
    return Bad("a family in two places", line);
  }
  present_ = name;
  Family& family = families_[name];
  std::string& part = help ? family.help : family.type;
  if (!part.empty() || !family.samples.empty() || (!help && !kTypes.contains(match[3]))) {
    return Bad("in the wrong place, or of no known type", line);
  }
  part = match[3];
  return absl::OkStatus();
}

absl::Status PrometheusText::ReadSample(const std::string& line) {
  static const std::regex kSample(R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+))");
  std::smatch match;
  if (!std::regex_match(line, match, kSample)) {
    return Bad("no sample", line);
  }
  Sample sample;
  sample.name = match[1];
  ASSIGN_OR_RETURN(sample.labels, ParseLabels(match[2]));
  if (!absl::SimpleAtod(std::string(match[3]), &sample.value)) {
    return Bad("no number", line);
  }
  const auto family = families_.find(present_);
  if (family == families_.end() || !BelongsTo(sample.name, present_, family->second.type)) {
    return Bad("not below its family", line);
  }
  family->second.samples.push_back(std::move(sample));
  return absl::OkStatus();
}

absl::Status PrometheusText::CheckFamilies() const {
  for (const auto& [name, family] : families_) {
    RETURN_IF_ERROR(CheckFamily(name, family));
  }
  return absl::OkStatus();
}

absl::StatusOr<PrometheusText> PrometheusText::Parse(const std::string& page) {
  if (page.empty() || page.back() != '\n') {
    return Bad("the last line does not end", "");
  }
  PrometheusText text;
  for (const auto part : absl::StrSplit(page.substr(0, page.size() - 1), '\n')) {
    const std::string line(part);
    RETURN_IF_ERROR(absl::StartsWith(line, "#") ? text.ReadComment(line) : text.ReadSample(line));
  }
  RETURN_IF_ERROR(text.CheckFamilies());
  return text;
}

std::optional<double> PrometheusText::Find(const std::string& name, const Labels& labels) const {
  for (const auto& [family_name, family] : families_) {
    for (const Sample& sample : family.samples) {
      if (sample.name == name && sample.labels == labels) {
        return sample.value;
      }
    }
  }
  return std::nullopt;
}

double PrometheusText::Sum(const std::string& name, const Labels& labels) const {
  double sum = 0;
  for (const auto& [family_name, family] : families_) {
    for (const Sample& sample : family.samples) {
      const bool fits =
          std::includes(sample.labels.begin(), sample.labels.end(), labels.begin(), labels.end());
      sum += sample.name == name && fits ? sample.value : 0;
    }
  }
  return sum;
}

}  // namespace reinstate
