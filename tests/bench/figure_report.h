#pragma once

#include <string>
#include <vector>

namespace reinstate::bench {

// Whether a figure is to be large or small, or is only told.
enum class Aim { kAtLeast, kAtMost, kNone };

// One figure, the aim it is held against, and what it was computed from.
struct Figure {
  std::string name;  // stable, for programs, e.g. "restore_rate"
  std::string text;  // for people
  double value = 0;
  std::string unit;  // "x", "ms", "MiB"
  Aim aim = Aim::kAtMost;
  double bound = 0;    // of the aim
  std::string detail;  // what was measured on both sides, with the baseline's settings
};

// The middle one; the mean of the two middle ones if there are two. `values` is not empty.
double Median(std::vector<double> values);

// The smallest one that at least this share of them does not exceed; `share` in (0, 1]. `values` is
// not empty.
double Percentile(std::vector<double> values, double share);

// Collects figures and prints each as a line as soon as it is known. Not thread-safe.
class FigureReport {
 public:
  // `scale`: of the full amount of data; the aims are meant for 1.
  explicit FigureReport(double scale) : scale_(scale) {}

  void Add(Figure figure);

  // Prints how many met their aim.
  void PrintSummary() const;

  // All figures as one JSON document.
  std::string ToJson() const;

 private:
  const double scale_;
  std::vector<Figure> figures_;
};

}  // namespace reinstate::bench
