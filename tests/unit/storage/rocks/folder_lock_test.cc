#include "storage/rocks/folder_lock.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "storage/base/error.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

class FolderLockTest : public testing::Test {
 protected:
  auto Take() const { return FolderLock::Take(rocksdb::Env::Default(), file_, "the history"); }

  const TempDir folder_;
  const std::string file_ = folder_.path() + "/LOCK";
};

TEST_F(FolderLockTest, KeepsOtherObjectsOfTheProcessOutWhileItLives) {
  {
    const auto lock = Take();
    ASSERT_TRUE(lock.ok()) << lock.status();
    const absl::Status second = Take().status();
    EXPECT_EQ(ReasonOf(second), "DATA_DIRECTORY_IN_USE") << second;
  }
  EXPECT_TRUE(Take().ok());
}

TEST_F(FolderLockTest, KeepsOtherProcessesOutUntilThatOneEnds) {
  std::array<int, 2> to_child{};
  std::array<int, 2> to_parent{};
  ASSERT_EQ(pipe(to_child.data()), 0);
  ASSERT_EQ(pipe(to_parent.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = Take();
    char byte = lock.ok() ? 'y' : 'n';
    (void)write(to_parent[1], &byte, 1);
    close(to_child[1]);
    (void)read(to_child[0], &byte, 1);  // ends when the parent closes its end
    _exit(0);
  }
  char taken = 0;
  ASSERT_EQ(read(to_parent[0], &taken, 1), 1);
  ASSERT_EQ(taken, 'y');
  const absl::Status second = Take().status();
  EXPECT_EQ(ReasonOf(second), "DATA_DIRECTORY_IN_USE") << second;
  close(to_child[1]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(Take().ok());
}

TEST_F(FolderLockTest, DoesNotTakeAFolderThatIsNotThereForOneInUse) {
  const absl::Status missing =
      FolderLock::Take(rocksdb::Env::Default(), folder_.path() + "/none/LOCK", "the history")
          .status();
  EXPECT_EQ(ReasonOf(missing), "CORRUPT") << missing;
}

}  // namespace
}  // namespace reinstate
