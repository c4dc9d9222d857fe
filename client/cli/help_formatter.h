#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace reinstate {

// Writes help for terminals of 80 columns: descriptions wrapped, values as "a|b|c", and what else
// there is to an option (default, environment variable, what it excludes) at the end of its
// description.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();

  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_subcommands(const CLI::App* app, CLI::AppFormatMode mode) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace reinstate
