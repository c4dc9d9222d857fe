#include "tests/support/unreliable_file_system.h"

#include <rocksdb/file_system.h>

#include <utility>

namespace reinstate {
namespace {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

void BeforeSync(const FileSystemFaults* faults) {
  if (faults->before_sync) {
    faults->before_sync();
  }
}

class UnreliableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  UnreliableFile(std::unique_ptr<FSWritableFile> file, FileSystemFaults* faults)
      : FSWritableFileOwnerWrapper(std::move(file)), faults_(faults) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* context) override {
    if (faults_->appends_until_full >= 0 && faults_->appends_until_full-- == 0) {
      faults_->full = true;
    }
    if (faults_->full) {
      return IOStatus::NoSpace("injected");
    }
    if (faults_->hold_unsynced) {
      held_.append(data.data(), data.size());
      return IOStatus::OK();
    }
    return FSWritableFileOwnerWrapper::Append(data, options, context);
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*info*/, IODebugContext* context) override {
    return Append(data, options, context);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    BeforeSync(faults_);
    const IOStatus status = Release(options, context);
    return status.ok() && !faults_->skip_syncs ? FSWritableFileOwnerWrapper::Sync(options, context)
                                               : status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    BeforeSync(faults_);
    const IOStatus status = Release(options, context);
    return status.ok() && !faults_->skip_syncs ? FSWritableFileOwnerWrapper::Fsync(options, context)
                                               : status;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* context) override {
    const IOStatus status = Release(options, context);
    return status.ok() ? FSWritableFileOwnerWrapper::Close(options, context) : status;
  }

 private:
  IOStatus Release(const IOOptions& options, IODebugContext* context) {
    if (held_.empty()) {
      return IOStatus::OK();
    }
    const std::string held = std::exchange(held_, std::string());
    return FSWritableFileOwnerWrapper::Append(held, options, context);
  }

  FileSystemFaults* const faults_;
  std::string held_;
};

class CountedFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  CountedFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, FileSystemFaults* faults)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), faults_(faults) {}

  IOStatus Read(uint64_t offset, size_t bytes, const IOOptions& options, rocksdb::Slice* result,
                char* scratch, IODebugContext* context) const override {
    const IOStatus status =
        FSRandomAccessFileOwnerWrapper::Read(offset, bytes, options, result, scratch, context);
    faults_->bytes_read += static_cast<int64_t>(result->size());
    return status;
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options,
                     IODebugContext* context) override {
    const IOStatus status =
        FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, context);
    for (size_t i = 0; i < count; ++i) {
      faults_->bytes_read += static_cast<int64_t>(requests[i].result.size());
    }
    return status;
  }
  // The reader then reads by itself.
  IOStatus Prefetch(uint64_t /*offset*/, size_t /*bytes*/, const IOOptions& /*options*/,
                    IODebugContext* /*context*/) override {
    return IOStatus::NotSupported();
  }

 private:
  FileSystemFaults* const faults_;
};

class UnreliableDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  UnreliableDirectory(std::unique_ptr<rocksdb::FSDirectory> directory, FileSystemFaults* faults)
      : FSDirectoryWrapper(std::move(directory)), faults_(faults) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    BeforeSync(faults_);
    return faults_->skip_syncs ? IOStatus::OK() : FSDirectoryWrapper::Fsync(options, context);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* context,
                               const rocksdb::DirFsyncOptions& what) override {
    BeforeSync(faults_);
    return faults_->skip_syncs ? IOStatus::OK()
                               : FSDirectoryWrapper::FsyncWithDirOptions(options, context, what);
  }

 private:
  FileSystemFaults* const faults_;
};

class UnreliableFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit UnreliableFileSystem(FileSystemFaults* faults)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), faults_(faults) {}

  const char* Name() const override { return "UnreliableFileSystem"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* context) override {
    std::unique_ptr<FSWritableFile> made;
    const IOStatus status = target()->NewWritableFile(name, options, &made, context);
    return Wrap(status, std::move(made), file);
  }
  IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                              std::unique_ptr<FSWritableFile>* file,
                              IODebugContext* context) override {
    std::unique_ptr<FSWritableFile> made;
    const IOStatus status = target()->ReopenWritableFile(name, options, &made, context);
    return Wrap(status, std::move(made), file);
  }
  IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                               IODebugContext* context) override {
    std::unique_ptr<rocksdb::FSRandomAccessFile> made;
    const IOStatus status = target()->NewRandomAccessFile(name, options, &made, context);
    if (status.ok()) {
      *file = std::make_unique<CountedFile>(std::move(made), faults_);
    }
    return status;
  }
  // Not known while there is some: RocksDB then does not try every five seconds to go on.
  IOStatus GetFreeSpace(const std::string& /*path*/, const IOOptions& /*options*/, uint64_t* bytes,
                        IODebugContext* /*context*/) override {
    *bytes = 0;
    return faults_->full ? IOStatus::OK() : IOStatus::NotSupported();
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory,
                        IODebugContext* context) override {
    std::unique_ptr<rocksdb::FSDirectory> made;
    const IOStatus status = target()->NewDirectory(name, options, &made, context);
    if (status.ok()) {
      *directory = std::make_unique<UnreliableDirectory>(std::move(made), faults_);
    }
    return status;
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& options,
                      IODebugContext* context) override {
    const IOStatus status = target()->DeleteFile(name, options, context);
    if (status.ok() && !faults_->frees_space.empty() && name.ends_with(faults_->frees_space)) {
      faults_->full = false;
    }
    return status;
  }

 private:
  IOStatus Wrap(const IOStatus& status, std::unique_ptr<FSWritableFile> made,
                std::unique_ptr<FSWritableFile>* file) {
    if (status.ok()) {
      *file = std::make_unique<UnreliableFile>(std::move(made), faults_);
    }
    return status;
  }

  FileSystemFaults* const faults_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> MakeUnreliableEnv(FileSystemFaults* faults) {
  return rocksdb::NewCompositeEnv(std::make_shared<UnreliableFileSystem>(faults));
}

}  // namespace reinstate
