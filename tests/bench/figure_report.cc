#include "tests/bench/figure_report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_format.h"

namespace reinstate::bench {
namespace {

bool Meets(const Figure& figure) {
  return figure.aim == Aim::kAtLeast ? figure.value >= figure.bound : figure.value <= figure.bound;
}

std::string AimText(const Figure& figure) {
  return absl::StrFormat("%s %.4g %s", figure.aim == Aim::kAtLeast ? "at least" : "at most",
                         figure.bound, figure.unit);
}

}  // namespace

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void FigureReport::Add(Figure figure) {
  absl::PrintF("%s  %-52s %7.4g %-3s  aim: %s; %s\n", Meets(figure) ? "pass" : "MISS", figure.text,
               figure.value, figure.unit, AimText(figure), figure.detail);
  std::fflush(stdout);
  figures_.push_back(std::move(figure));
}

void FigureReport::PrintSummary() const {
  const auto met = std::count_if(figures_.begin(), figures_.end(), Meets);
  absl::PrintF("%d of %d figures meet their aim%s\n", met, figures_.size(),
               scale_ == 1 ? std::string()
                           : absl::StrFormat(" (at scale %g; the aims are meant for 1)", scale_));
}

std::string FigureReport::ToJson() const {
  nlohmann::json figures = nlohmann::json::array();
  for (const Figure& figure : figures_) {
    figures.push_back({{"name", figure.name},
                       {"text", figure.text},
                       {"value", figure.value},
                       {"unit", figure.unit},
                       {"aim", figure.aim == Aim::kAtLeast ? "at_least" : "at_most"},
                       {"bound", figure.bound},
                       {"met", Meets(figure)},
                       {"detail", figure.detail}});
  }
  const nlohmann::json report = {{"scale", scale_}, {"figures", figures}};
  return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace reinstate::bench
