#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace reinstate {

// A page in Prometheus' text format 0.0.4, read strictly: what a lenient scraper would forgive is
// an error. https://prometheus.io/docs/instrumenting/exposition_formats/
class PrometheusText {
 public:
  using Labels = std::map<std::string, std::string>;

  struct Sample {
    std::string name;  // with _bucket, _sum or _count
    Labels labels;
    double value = 0;
  };

  struct Family {
    std::string help;
    std::string type;
    std::vector<Sample> samples;
  };

  // DATA_LOSS with the line: unknown lines, bad names, a family without HELP and TYPE or in two
  // places, a series twice, counters that do not end in _total or are negative, histograms whose
  // buckets do not add up.
  static absl::StatusOr<PrometheusText> Parse(const std::string& page);

  const std::map<std::string, Family>& families() const { return families_; }

  // The sample of exactly these labels.
  std::optional<double> Find(const std::string& name, const Labels& labels) const;

  // The sum of all samples of `name` that have at least these labels.
  double Sum(const std::string& name, const Labels& labels) const;

 private:
  absl::Status ReadComment(const std::string& line);
  absl::Status ReadSample(const std::string& line);
  absl::Status CheckFamilies() const;

  std::map<std::string, Family> families_;
  std::string present_;  // the family that is being read
};

}  // namespace reinstate
