#include "tests/support/faulty_file_system.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <filesystem>
#include <map>
#include <utility>

#include "storage/base/mutex.h"

namespace reinstate {

using rocksdb::FileOptions;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What the files of a FaultyFileSystem share.
class FaultyFiles {
 public:
  void SetFull(bool full) {
    MutexLock lock(&mu_);
    full_ = full;
  }

  void CrashAtSync(int64_t n) {
    MutexLock lock(&mu_);
    syncs_left_ = n;
  }

  void Crash() {
    MutexLock lock(&mu_);
    crashed_ = true;
  }

  bool has_crashed() {
    MutexLock lock(&mu_);
    return crashed_;
  }

  IOStatus CheckRunning() {
    MutexLock lock(&mu_);
    return crashed_ ? IOStatus::IOError("the machine has crashed") : IOStatus::OK();
  }

  IOStatus CheckWrite() {
    MutexLock lock(&mu_);
    if (crashed_) {
      return IOStatus::IOError("the machine has crashed");
    }
    return full_ ? IOStatus::NoSpace("the disk is full") : IOStatus::OK();
  }

  IOStatus CheckSync() {
    MutexLock lock(&mu_);
    if (syncs_left_ > 0 && --syncs_left_ == 0) {
      crashed_ = true;
    }
    if (crashed_) {
      return IOStatus::IOError("the machine has crashed");
    }
    return full_ ? IOStatus::NoSpace("the disk is full") : IOStatus::OK();
  }

  void SetSynced(const std::string& path, uint64_t bytes) {
    MutexLock lock(&mu_);
    synced_bytes_[path] = bytes;
  }

  void Forget(const std::string& path) {
    MutexLock lock(&mu_);
    synced_bytes_.erase(path);
  }

  void Rename(const std::string& from, const std::string& to) {
    MutexLock lock(&mu_);
    if (auto node = synced_bytes_.extract(from)) {
      synced_bytes_[to] = node.mapped();
    }
  }

  void LoseUnsynced() {
    MutexLock lock(&mu_);
    for (const auto& [path, bytes] : synced_bytes_) {
      std::error_code missing;
      if (std::filesystem::file_size(path, missing) > bytes && !missing) {
        std::filesystem::resize_file(path, bytes);
      }
    }
    crashed_ = false;
    syncs_left_ = 0;
  }

 private:
  Mutex mu_;
  bool full_ ABSL_GUARDED_BY(mu_) = false;
  bool crashed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t syncs_left_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, uint64_t> synced_bytes_ ABSL_GUARDED_BY(mu_);  // of files written to
};

namespace {

class FaultyFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(std::unique_ptr<FSWritableFile> file, std::string path,
             std::shared_ptr<FaultyFiles> files)
      : FSWritableFileOwnerWrapper(std::move(file)),
        path_(std::move(path)),
        files_(std::move(files)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const IOStatus allowed = files_->CheckWrite();
    return allowed.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug) : allowed;
  }

  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*info*/, IODebugContext* debug) override {
    return Append(data, options, debug);
  }

  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    const IOStatus allowed = files_->CheckWrite();
    return allowed.ok() ? FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, debug)
                        : allowed;
  }

  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo& /*info*/,
                            IODebugContext* debug) override {
    return PositionedAppend(data, offset, options, debug);
  }

  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = files_->CheckSync();
    if (status.ok()) {
      status = FSWritableFileOwnerWrapper::Sync(options, debug);
    }
    if (status.ok()) {
      files_->SetSynced(path_, GetFileSize(options, debug));
    }
    return status;
  }

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }

 private:
  const std::string path_;
  const std::shared_ptr<FaultyFiles> files_;
};

class FaultyFs final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyFs(std::shared_ptr<FaultyFiles> files)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), files_(std::move(files)) {}

  const char* Name() const override { return "FaultyFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result,
                           IODebugContext* debug) override {
    IOStatus status = files_->CheckWrite();
    if (!status.ok()) {
      return status;
    }
    std::unique_ptr<FSWritableFile> file;
    status = FileSystemWrapper::NewWritableFile(path, options, &file, debug);
    if (status.ok()) {
      files_->SetSynced(path, 0);
      *result = std::make_unique<FaultyFile>(std::move(file), path, files_);
    }
    return status;
  }

  IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                             const FileOptions& options, std::unique_ptr<FSWritableFile>* result,
                             IODebugContext* debug) override {
    const IOStatus renamed = RenameFile(old_path, path, IOOptions(), debug);
    return renamed.ok() ? NewWritableFile(path, options, result, debug) : renamed;
  }

  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* debug) override {
    const IOStatus running = files_->CheckRunning();
    if (!running.ok()) {
      return running;
    }
    files_->Forget(path);
    return FileSystemWrapper::DeleteFile(path, options, debug);
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    const IOStatus running = files_->CheckRunning();
    if (!running.ok()) {
      return running;
    }
    files_->Rename(from, to);
    return FileSystemWrapper::RenameFile(from, to, options, debug);
  }

 private:
  const std::shared_ptr<FaultyFiles> files_;
};

}  // namespace

FaultyFileSystem::FaultyFileSystem()
    : files_(std::make_shared<FaultyFiles>()),
      env_(rocksdb::NewCompositeEnv(std::make_shared<FaultyFs>(files_))) {}

FaultyFileSystem::~FaultyFileSystem() = default;

void FaultyFileSystem::SetFull(bool full) { files_->SetFull(full); }
void FaultyFileSystem::CrashAtSync(int64_t n) { files_->CrashAtSync(n); }
void FaultyFileSystem::Crash() { files_->Crash(); }
bool FaultyFileSystem::has_crashed() const { return files_->has_crashed(); }
void FaultyFileSystem::LoseUnsynced() { files_->LoseUnsynced(); }

}  // namespace reinstate
