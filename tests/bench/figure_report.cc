#include "tests/bench/figure_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_format.h"

namespace reinstate::bench {
namespace {

bool Meets(const Figure& figure) {
  return figure.aim == Aim::kAtLeast ? figure.value >= figure.bound : figure.value <= figure.bound;
}

bool HasAim(const Figure& figure) { return figure.aim != Aim::kNone; }

std::string Verdict(const Figure& figure) {
  if (!HasAim(figure)) {
    return "    ";
  }
  return Meets(figure) ? "pass" : "MISS";
}

std::string AimText(const Figure& figure) {
  if (!HasAim(figure)) {
    return "none";
  }
  return absl::StrFormat("%s %.4g %s", figure.aim == Aim::kAtLeast ? "at least" : "at most",
                         figure.bound, figure.unit);
}

}  // namespace

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double Percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  return values[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

void FigureReport::Add(Figure figure) {
  absl::PrintF("%s  %-52s %7.4g %-3s  aim: %s; %s\n", Verdict(figure), figure.text, figure.value,
               figure.unit, AimText(figure), figure.detail);
  std::fflush(stdout);
  figures_.push_back(std::move(figure));
}

void FigureReport::PrintSummary() const {
  const auto aims = std::count_if(figures_.begin(), figures_.end(), HasAim);
  const auto met = std::count_if(figures_.begin(), figures_.end(), [](const Figure& figure) {
    return HasAim(figure) && Meets(figure);
  });
  absl::PrintF("%d of %d figures meet their aim%s\n", met, aims,
               scale_ == 1 ? std::string()
                           : absl::StrFormat(" (at scale %g; the aims are meant for 1)", scale_));
}

std::string FigureReport::ToJson() const {
  nlohmann::json figures = nlohmann::json::array();
  for (const Figure& figure : figures_) {
    nlohmann::json entry = {{"name", figure.name},
                            {"text", figure.text},
                            {"value", figure.value},
                            {"unit", figure.unit},
                            {"detail", figure.detail}};
    if (HasAim(figure)) {
      entry["aim"] = figure.aim == Aim::kAtLeast ? "at_least" : "at_most";
      entry["bound"] = figure.bound;
      entry["met"] = Meets(figure);
    }
    figures.push_back(std::move(entry));
  }
  const nlohmann::json report = {{"scale", scale_}, {"figures", figures}};
  return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace reinstate::bench
