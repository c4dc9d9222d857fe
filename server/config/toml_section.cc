#include "server/config/toml_section.h"

#include <toml++/toml.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

constexpr size_t kMaxNameBytes = 63;

std::string At(const std::string& path, const toml::source_region& source) {
  return absl::StrCat(path, ":", source.begin.line, ": ");
}

const toml::table* AsTable(const void* table) { return static_cast<const toml::table*>(table); }

const toml::node* Find(const void* table, const std::string& key) {
  return table == nullptr ? nullptr : AsTable(table)->get(key);
}

}  // namespace

struct TomlFile::Contents {
  toml::table root;
};

TomlFile::TomlFile(std::string path)
    : path_(std::move(path)), contents_(std::make_unique<Contents>()) {}

TomlFile::~TomlFile() = default;

absl::StatusOr<std::unique_ptr<TomlFile>> TomlFile::Open(const std::string& path) {
  std::unique_ptr<TomlFile> file(new TomlFile(path));
  try {
    file->contents_->root = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    return MakeError(Reason::kConfigInvalid,
                     absl::StrCat(At(path, error.source()), Absl(error.description())));
  }
  return file;
}

absl::Status TomlFile::Check() const {
  return complaints_.empty() ? absl::OkStatus()
                             : MakeError(Reason::kConfigInvalid, absl::StrJoin(complaints_, "\n"));
}

TomlSection::TomlSection(TomlFile* file) : TomlSection(file, &file->contents_->root, "") {}

TomlSection::TomlSection(TomlFile* file, const void* table, std::string name)
    : file_(file), table_(table), name_(std::move(name)) {}

bool TomlSection::Has(const std::string& key) const { return Find(table_, key) != nullptr; }

void TomlSection::Complain(const std::string& key, const std::string& sentence) {
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    node = table_ == nullptr ? &file_->contents_->root : AsTable(table_);
  }
  file_->complaints_.push_back(
      absl::StrCat(At(file_->path_, node->source()), Printable(key), " ", sentence));
}

void TomlSection::Read(const std::string& key, std::string* value) {
  known_.insert(key);
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    return;
  }
  if (!node->is_string()) {
    Complain(key, "must be a text in quotes.");
    return;
  }
  *value = node->as_string()->get();
  if (value->find('\0') != std::string::npos) {
    Complain(key, "must not contain a NUL byte.");
  }
}

void TomlSection::Read(const std::string& key, bool* value) {
  known_.insert(key);
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    return;
  }
  if (!node->is_boolean()) {
    Complain(key, "must be true or false.");
    return;
  }
  *value = node->as_boolean()->get();
}

void TomlSection::Read(const std::string& key, int64_t min, int64_t max, int64_t* value) {
  known_.insert(key);
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    return;
  }
  if (!node->is_integer() || node->as_integer()->get() < min || node->as_integer()->get() > max) {
    Complain(key, absl::StrCat("must be a whole number from ", min, " to ", max, "."));
    return;
  }
  *value = node->as_integer()->get();
}

void TomlSection::Read(const std::string& key, double min, double max, double* value) {
  known_.insert(key);
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    return;
  }
  // Written so that a NaN is refused.
  const double number = node->value<double>().value_or(std::numeric_limits<double>::quiet_NaN());
  if (!(number >= min && number <= max)) {
    Complain(key, absl::StrCat("must be a number from ", min, " to ", max, "."));
    return;
  }
  *value = number;
}

void TomlSection::Read(const std::string& key, absl::Duration min, absl::Duration* value) {
  std::string text;
  Read(key, &text);
  if (text.empty() && !Has(key)) {
    return;
  }
  const absl::StatusOr<absl::Duration> duration = ParseConfigDuration(text);
  if (!duration.ok() || *duration < min) {
    Complain(key, absl::StrCat("must be a duration of at least ", absl::FormatDuration(min),
                               ", e.g. \"15m\", \"36h\" or \"7d\"."));
    return;
  }
  *value = *duration;
}

void TomlSection::Read(const std::string& key, std::vector<std::string>* value) {
  known_.insert(key);
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    return;
  }
  if (node->is_string()) {
    *value = {node->as_string()->get()};
    return;
  }
  const toml::array* array = node->as_array();
  if (array == nullptr || array->empty() || !array->is_homogeneous<std::string>()) {
    Complain(key, "must be a text in quotes, or an array of at least one.");
    return;
  }
  value->clear();
  for (const toml::node& element : *array) {
    value->push_back(element.as_string()->get());
  }
}

void TomlSection::ReadNames(const std::string& key, std::vector<std::string>* value) {
  const toml::node* node = Find(table_, key);
  if (node != nullptr && node->is_array() && node->as_array()->empty()) {
    known_.insert(key);
    value->clear();
    return;
  }
  Read(key, value);
}

void TomlSection::ReadTexts(const std::string& key, std::map<std::string, std::string>* value) {
  known_.insert(key);
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    return;
  }
  if (!node->is_table()) {
    Complain(key, "must be a table of texts, { name = \"text\" }.");
    return;
  }
  value->clear();
  for (const auto& [name, text] : *node->as_table()) {
    if (!text.is_string()) {
      Complain(key, absl::StrCat("must have a text in quotes for ", Printable(name.str()), "."));
      return;
    }
    value->emplace(name.str(), text.as_string()->get());
  }
}

void TomlSection::ReadBytes(const std::string& key, int64_t min, int64_t* value) {
  known_.insert(key);
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    return;
  }
  absl::StatusOr<int64_t> bytes = absl::InvalidArgumentError("");
  if (node->is_integer()) {
    bytes = node->as_integer()->get();
  } else if (node->is_string()) {
    bytes = ParseConfigBytes(node->as_string()->get());
  }
  if (!bytes.ok() || *bytes < min) {
    Complain(key, absl::StrCat("must be a size of at least ", min,
                               " bytes, e.g. \"256MiB\" or 1073741824."));
    return;
  }
  *value = *bytes;
}

void TomlSection::ReadChoice(const std::string& key, const std::vector<std::string>& choices,
                             std::string* value) {
  std::string text = *value;
  Read(key, &text);
  if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
    Complain(key, absl::StrCat("must be one of ", absl::StrJoin(choices, ", "), "."));
    return;
  }
  *value = text;
}

TomlSection TomlSection::Table(const std::string& key) {
  known_.insert(key);
  const toml::node* node = Find(table_, key);
  if (node != nullptr && !node->is_table()) {
    Complain(key, absl::StrCat("must be a table, [", key, "]."));
    node = nullptr;
  }
  return TomlSection(file_, node == nullptr ? nullptr : node->as_table(),
                     name_.empty() ? key : absl::StrCat(name_, ".", key));
}

std::vector<TomlSection> TomlSection::Tables(const std::string& key) {
  known_.insert(key);
  std::vector<TomlSection> sections;
  const toml::node* node = Find(table_, key);
  if (node == nullptr) {
    return sections;
  }
  const toml::array* array = node->as_array();
  if (array == nullptr || !array->is_array_of_tables()) {
    Complain(key, absl::StrCat("must be written as [[", key, "]]."));
    return sections;
  }
  for (const toml::node& element : *array) {
    sections.push_back(TomlSection(file_, element.as_table(), key));
  }
  return sections;
}

void TomlSection::RefuseOthers() {
  if (table_ == nullptr) {
    return;
  }
  for (const auto& [key, node] : *AsTable(table_)) {
    const std::string name(key.str());
    if (!known_.contains(name)) {
      Complain(name,
               absl::StrCat("is not known", name_.empty() ? "" : absl::StrCat(" in [", name_, "]"),
                            "; these are: ", absl::StrJoin(known_, ", "), "."));
    }
  }
}

bool IsConfigName(const std::string& text) {
  return !text.empty() && text.size() <= kMaxNameBytes && absl::ascii_islower(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' || c == '-';
         });
}

absl::StatusOr<absl::Duration> ParseConfigDuration(const std::string& text) {
  // Days and weeks, which Abseil does not know, stand alone.
  absl::Duration duration;
  int64_t count = 0;
  if (!text.empty() && (text.back() == 'd' || text.back() == 'w') &&
      absl::SimpleAtoi(text.substr(0, text.size() - 1), &count)) {
    return absl::Hours(24) * count * (text.back() == 'w' ? 7 : 1);
  }
  if (!absl::ParseDuration(text, &duration)) {
    return MakeError(Reason::kConfigInvalid, absl::StrCat(Printable(text), " is no duration."));
  }
  return duration;
}

absl::StatusOr<int64_t> ParseConfigBytes(const std::string& text) {
  static constexpr std::pair<const char*, int> kUnits[] = {
      {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"", 0}};
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string unit(absl::StripAsciiWhitespace(text.substr(digits)));
  int64_t number = 0;
  for (const auto& [name, shift] : kUnits) {
    if (unit == name && absl::SimpleAtoi(text.substr(0, digits), &number) &&
        number <= (std::numeric_limits<int64_t>::max() >> shift)) {
      return number << shift;
    }
  }
  return MakeError(Reason::kConfigInvalid, absl::StrCat(Printable(text), " is no size."));
}

}  // namespace reinstate
