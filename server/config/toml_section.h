#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reinstate {

// A TOML file that is read once, and everything that is wrong with it. Not thread-safe.
class TomlFile {
 public:
  // CONFIG_INVALID if it cannot be read or parsed, with file and line.
  static absl::StatusOr<std::unique_ptr<TomlFile>> Open(const std::string& path);
  ~TomlFile();
  TomlFile(const TomlFile&) = delete;
  TomlFile& operator=(const TomlFile&) = delete;

  // CONFIG_INVALID with all that was complained about so far, a line each; else OK.
  absl::Status Check() const;

 private:
  friend class TomlSection;
  struct Contents;

  explicit TomlFile(std::string path);

  const std::string path_;
  std::unique_ptr<Contents> contents_;
  std::vector<std::string> complaints_;
};

// One table of a file. Each Read takes the value of `key` if there is one and leaves `*value` alone
// otherwise; a value of the wrong kind or outside of the limits is complained about. Borrows the
// file.
class TomlSection {
 public:
  explicit TomlSection(TomlFile* file);  // the top of the file

  void Read(const std::string& key, std::string* value);
  void Read(const std::string& key, bool* value);
  void Read(const std::string& key, int64_t min, int64_t max, int64_t* value);
  void Read(const std::string& key, double min, double max, double* value);
  void Read(const std::string& key, absl::Duration min, absl::Duration* value);  // "15m", "7d"
  void Read(const std::string& key, std::vector<std::string>* value);            // one or an array
  // As the one before, but an array may be empty.
  void ReadNames(const std::string& key, std::vector<std::string>* value);
  // A table of texts, e.g. { queue = "jobs would run again" }.
  void ReadTexts(const std::string& key, std::map<std::string, std::string>* value);
  void ReadBytes(const std::string& key, int64_t min, int64_t* value);  // "256MiB"
  void ReadChoice(const std::string& key, const std::vector<std::string>& choices,
                  std::string* value);

  bool Has(const std::string& key) const;

  // The table `key` and each table of the array `key`; empty if there is none.
  TomlSection Table(const std::string& key);
  std::vector<TomlSection> Tables(const std::string& key);

  // Complains about `key`, or about the section if it has no such key.
  void Complain(const std::string& key, const std::string& sentence);

  // Complains about each key that was not read.
  void RefuseOthers();

 private:
  TomlSection(TomlFile* file, const void* table, std::string name);

  TomlFile* file_;
  const void* table_;  // a toml::table, or null if there is none
  std::string name_;   // e.g. "store.snapshots"; empty at the top
  std::set<std::string> known_;
};

// 1 to 63 of a-z, 0-9, _ and -, beginning with a letter.
bool IsConfigName(const std::string& text);

// e.g. "15m", "1h30m", "7d", "2w". CONFIG_INVALID.
absl::StatusOr<absl::Duration> ParseConfigDuration(const std::string& text);

// e.g. "256MiB", "1GiB", "4096". CONFIG_INVALID.
absl::StatusOr<int64_t> ParseConfigBytes(const std::string& text);

}  // namespace reinstate
