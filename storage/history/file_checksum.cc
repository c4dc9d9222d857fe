#include "storage/history/file_checksum.h"

#include <xxhash.h>

#include <cstdlib>
#include <memory>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/history_status.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

constexpr char kFunction[] = "ReinstateXXH3";
constexpr size_t kPieceBytes = 1 << 20;
constexpr size_t kAlignment = 4096;  // what reading past the page cache needs

class Xxh3Generator final : public rocksdb::FileChecksumGenerator {
 public:
  Xxh3Generator() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }

  void Update(const char* data, size_t n) override { XXH3_64bits_update(state_.get(), data, n); }

  void Finalize() override { AppendKeyPart64(XXH3_64bits_digest(state_.get()), &checksum_); }

  std::string GetChecksum() const override { return checksum_; }

  const char* Name() const override { return kFunction; }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };

  std::unique_ptr<XXH3_state_t, Free> state_;
  std::string checksum_;
};

class Xxh3Factory final : public rocksdb::FileChecksumGenFactory {
 public:
  std::unique_ptr<rocksdb::FileChecksumGenerator> CreateFileChecksumGenerator(
      const rocksdb::FileChecksumGenContext& /*context*/) override {
    return std::make_unique<Xxh3Generator>();
  }

  const char* Name() const override { return "ReinstateXXH3Factory"; }
};

struct FreeBuffer {
  void operator()(char* buffer) const {
    std::free(buffer);  // NOLINT(cppcoreguidelines-no-malloc): from aligned_alloc
  }
};

absl::StatusOr<std::unique_ptr<rocksdb::RandomAccessFile>> OpenFile(rocksdb::Env* env,
                                                                    const std::string& path) {
  rocksdb::EnvOptions options;
  options.use_direct_reads = true;
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  if (!env->NewRandomAccessFile(path, &file, options).ok()) {
    options.use_direct_reads = false;
    RETURN_IF_ERROR(
        HistoryStatus(env->NewRandomAccessFile(path, &file, options), "open a new table"));
  }
  return file;
}

}  // namespace

std::shared_ptr<rocksdb::FileChecksumGenFactory> TableChecksumFactory() {
  return std::make_shared<Xxh3Factory>();
}

absl::Status CheckTableFile(rocksdb::Env* env, const std::string& path, const std::string& checksum,
                            const std::string& function) {
  ASSIGN_OR_RETURN(const std::unique_ptr<rocksdb::RandomAccessFile> file, OpenFile(env, path));
  const std::unique_ptr<char, FreeBuffer> buffer(
      static_cast<char*>(std::aligned_alloc(kAlignment, kPieceBytes)));
  Xxh3Generator generator;
  rocksdb::Slice piece;
  uint64_t offset = 0;
  do {
    RETURN_IF_ERROR(HistoryStatus(file->Read(offset, kPieceBytes, &piece, buffer.get()),
                                  "read a new table again"));
    generator.Update(piece.data(), piece.size());
    offset += piece.size();
  } while (piece.size() == kPieceBytes);
  generator.Finalize();
  if (function != kFunction || generator.GetChecksum() != checksum) {
    return MakeError(Reason::kCorrupt,
                     "A table that was just written to the history is not on the disk as it was "
                     "written. Look at the disk of the history's folder, then try again.");
  }
  return absl::OkStatus();
}

}  // namespace reinstate
