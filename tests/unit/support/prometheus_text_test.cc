#include "tests/support/prometheus_text.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

const char kGood[] =
    "# HELP a_total How often.\n"
    "# TYPE a_total counter\n"
    "a_total{store=\"main\",kind=\"x \\\"y\\\"\"} 3\n"
    "a_total 1\n"
    "# HELP b How long.\n"
    "# TYPE b histogram\n"
    "b_bucket{le=\"0.5\"} 1\n"
    "b_bucket{le=\"+Inf\"} 2\n"
    "b_sum 1.5\n"
    "b_count 2\n";

TEST(PrometheusText, ReadsWhatFollowsTheFormat) {
  const auto text = PrometheusText::Parse(kGood);
  ASSERT_THAT(text, IsOk());
  EXPECT_EQ(text->families().size(), 2U);
  EXPECT_EQ(text->Find("a_total", {}), 1);
  EXPECT_EQ(text->Find("a_total", {{"store", "main"}}), std::nullopt);
  EXPECT_EQ(text->Sum("a_total", {{"store", "main"}}), 3);
  EXPECT_EQ(text->Find("b_count", {}), 2);
}

TEST(PrometheusText, RefusesWhatDoesNot) {
  const std::string head = "# HELP a_total x\n# TYPE a_total counter\n";
  const std::string histogram = "# HELP b x\n# TYPE b histogram\n";
  for (const std::string& bad : {
           std::string(),
           std::string(kGood).substr(0, sizeof(kGood) - 2),
           std::string("a_total 1\n"),
           std::string("# TYPE a_total counter\na_total 1\n"),
           std::string("# HELP a x\n# TYPE a counter\na 1\n"),
           head + "a_total 1\na_total 1\n",
           head + "a_total -1\n",
           head + "a_total one\n",
           head + "a_total{store=main} 1\n",
           head + "a_total{store=\"main\" kind=\"x\"} 1\n",
           head + "b_total 1\n",
           head + "a_total 1\n\n",
           head + "a_total 1\n" + histogram + "b_bucket{le=\"+Inf\"} 0\nb_sum 0\nb_count 0\n" +
               head,
           histogram + "b_bucket{le=\"+Inf\"} 2\nb_sum 1\nb_count 3\n",
           histogram + "b_bucket{le=\"1\"} 2\nb_sum 1\nb_count 2\n",
           histogram + "b_bucket{le=\"1\"} 3\nb_bucket{le=\"+Inf\"} 2\nb_sum 1\nb_count 2\n",
           histogram + "b_bucket{le=\"+Inf\"} 2\nb_count 2\n",
       }) {
    EXPECT_FALSE(PrometheusText::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace reinstate
