#include "tests/bench/baselines.h"

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <zstd.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "tests/bench/machine.h"

namespace reinstate::bench {
namespace {

constexpr size_t kChunkBytes = 8 << 20;
constexpr int64_t kSstInputBytes = 64 << 20;
constexpr int kZstdLevel = 3;

absl::Status Check(const rocksdb::Status& status) {
  return status.ok() ? absl::OkStatus() : MakeError(Reason::kInternal, status.ToString());
}

// Adds up the time between Start and Stop.
class Stopwatch {
 public:
  void Start() { started_ = absl::Now(); }
  void Stop() { total_ += absl::Now() - started_; }
  absl::Duration total() const { return total_; }

 private:
  absl::Time started_;
  absl::Duration total_;
};

// Collects records into chunks, so that the clock runs only while a chunk is consumed.
class Chunks {
 public:
  using Chunk = std::vector<std::pair<std::string, std::string>>;
  using Consumer = std::function<absl::Status(const Chunk&)>;

  static absl::Status Feed(const KeyedRecords& records, BaselineRun* run, const Consumer& consume) {
    Stopwatch watch;
    Chunk chunk;
    size_t chunk_bytes = 0;
    absl::Status status;
    const auto flush = [&] {
      if (status.ok()) {
        watch.Start();
        status = consume(chunk);
        watch.Stop();
      }
      chunk.clear();
      chunk_bytes = 0;
    };
    records([&](std::string_view key, std::string_view payload) {
      chunk.emplace_back(key, payload);
      chunk_bytes += key.size() + payload.size();
      ++run->rows;
      run->bytes_in += static_cast<int64_t>(key.size() + payload.size());
      if (chunk_bytes >= kChunkBytes) {
        flush();
      }
    });
    flush();
    run->time += watch.total();
    return status;
  }
};

// Times `finish` as part of the run.
absl::Status Timed(BaselineRun* run, const std::function<absl::Status()>& finish) {
  Stopwatch watch;
  watch.Start();
  absl::Status status = finish();
  watch.Stop();
  run->time += watch.total();
  return status;
}

void MakeEmptyFolder(const std::string& folder) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
}

// SstFileWriter that begins a new file when one is full.
class SstFiles {
 public:
  explicit SstFiles(std::string folder) : folder_(std::move(folder)) {
    rocksdb::BlockBasedTableOptions table;
    table.block_size = 1 << 20;
    table.format_version = 5;
    table.checksum = rocksdb::kXXH3;
    options_.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options_.compression = rocksdb::kZSTD;
    options_.compression_opts.level = kZstdLevel;
  }

  absl::Status Put(const std::string& key, const std::string& payload) {
    if (writer_ == nullptr) {
      writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options_);
      RETURN_IF_ERROR(Check(writer_->Open(absl::StrCat(folder_, "/", ++files_, ".sst"))));
    }
    RETURN_IF_ERROR(Check(writer_->Put(key, payload)));
    bytes_ += static_cast<int64_t>(key.size() + payload.size());
    return bytes_ >= kSstInputBytes ? Finish() : absl::OkStatus();
  }

  absl::Status Finish() {
    if (writer_ == nullptr) {
      return absl::OkStatus();
    }
    bytes_ = 0;
    const std::unique_ptr<rocksdb::SstFileWriter> writer = std::move(writer_);
    return Check(writer->Finish());
  }

 private:
  const std::string folder_;
  rocksdb::Options options_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  int64_t bytes_ = 0;
  int files_ = 0;
};

}  // namespace

absl::StatusOr<BaselineRun> PutWithWriteBatch(const std::string& folder,
                                              const KeyedRecords& records,
                                              const WriteBatchSettings& settings) {
  MakeEmptyFolder(folder);
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kLZ4Compression;
  options.write_buffer_size = static_cast<size_t>(settings.write_buffer_bytes);
  rocksdb::DB* opened = nullptr;
  RETURN_IF_ERROR(Check(rocksdb::DB::Open(options, folder, &opened)));
  const std::unique_ptr<rocksdb::DB> db(opened);

  rocksdb::WriteBatch batch;
  BaselineRun run;
  const auto write = [&](bool sync) {
    rocksdb::WriteOptions write_options;
    write_options.sync = sync;
    absl::Status status = Check(db->Write(write_options, &batch));
    batch.Clear();
    return status;
  };
  RETURN_IF_ERROR(Chunks::Feed(records, &run, [&](const Chunks::Chunk& chunk) {
    for (const auto& [key, payload] : chunk) {
      RETURN_IF_ERROR(Check(batch.Put(key, payload)));
      if (std::cmp_greater_equal(batch.GetDataSize(), settings.batch_bytes)) {
        RETURN_IF_ERROR(write(/*sync=*/false));
      }
    }
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(Timed(&run, [&] { return write(/*sync=*/true); }));
  run.bytes_out = FolderBytes(folder);
  return run;
}

absl::StatusOr<BaselineRun> WriteSstFiles(const std::string& folder, const KeyedRecords& records) {
  MakeEmptyFolder(folder);
  SstFiles files(folder);
  BaselineRun run;
  RETURN_IF_ERROR(Chunks::Feed(records, &run, [&](const Chunks::Chunk& chunk) {
    for (const auto& [key, payload] : chunk) {
      RETURN_IF_ERROR(files.Put(key, payload));
    }
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(Timed(&run, [&] { return files.Finish(); }));
  run.bytes_out = FolderBytes(folder);
  return run;
}

absl::StatusOr<BaselineRun> CompressWithZstd(const KeyedRecords& records) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kZstdLevel);
  std::vector<char> buffer(ZSTD_CStreamOutSize());
  BaselineRun run;
  const auto compress = [&](const std::string& text, ZSTD_EndDirective mode) -> absl::Status {
    ZSTD_inBuffer in{.src = text.data(), .size = text.size(), .pos = 0};
    size_t left = 0;
    do {
      ZSTD_outBuffer out{.dst = buffer.data(), .size = buffer.size(), .pos = 0};
      left = ZSTD_compressStream2(context.get(), &out, &in, mode);
      if (ZSTD_isError(left) != 0) {
        return MakeError(Reason::kInternal, ZSTD_getErrorName(left));
      }
      run.bytes_out += static_cast<int64_t>(out.pos);
    } while (in.pos < in.size || (mode == ZSTD_e_end && left > 0));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(Chunks::Feed(records, &run, [&](const Chunks::Chunk& chunk) -> absl::Status {
    for (const auto& [key, payload] : chunk) {
      RETURN_IF_ERROR(compress(key, ZSTD_e_continue));
      RETURN_IF_ERROR(compress(payload, ZSTD_e_continue));
    }
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(Timed(&run, [&] { return compress("", ZSTD_e_end); }));
  return run;
}

}  // namespace reinstate::bench
