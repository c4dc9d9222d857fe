#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

namespace pb = ::google::protobuf;

// What proto/README.md promises of every service, checked on the descriptors of the real files.
class WireConventions : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(REINSTATE_DESCRIPTORS, std::ios::binary);
    pb::FileDescriptorSet set;
    ASSERT_TRUE(set.ParseFromIstream(&file));
    for (const pb::FileDescriptorProto& proto : set.file()) {
      const pb::FileDescriptor* built = pool_.BuildFile(proto);
      ASSERT_NE(built, nullptr) << proto.name();
      if (built->package() == "reinstate.v1") {
        files_.push_back(built);
      }
    }
    ASSERT_GE(files_.size(), 7U);
  }

  void ForEachMethod(const std::function<void(const pb::MethodDescriptor&)>& visit) const {
    for (const pb::FileDescriptor* file : files_) {
      for (int s = 0; s < file->service_count(); ++s) {
        for (int m = 0; m < file->service(s)->method_count(); ++m) {
          visit(*file->service(s)->method(m));
        }
      }
    }
  }

  void ForEachEnum(const std::function<void(const pb::EnumDescriptor&)>& visit) const {
    for (const pb::FileDescriptor* file : files_) {
      for (int e = 0; e < file->enum_type_count(); ++e) {
        visit(*file->enum_type(e));
      }
    }
  }

  pb::DescriptorPool pool_;
  std::vector<const pb::FileDescriptor*> files_;
};

template <typename Descriptor>
pb::SourceLocation LocationOf(const Descriptor& descriptor) {
  pb::SourceLocation location;
  EXPECT_TRUE(descriptor.GetSourceLocation(&location)) << descriptor.full_name();
  return location;
}

template <typename Descriptor>
void ExpectComment(const Descriptor& descriptor) {
  EXPECT_FALSE(LocationOf(descriptor).leading_comments.empty()) << descriptor.full_name();
}

bool BeginsWithAny(const std::string& name, const std::vector<std::string>& beginnings) {
  for (const std::string& beginning : beginnings) {
    if (name.starts_with(beginning)) {
      return true;
    }
  }
  return false;
}

TEST_F(WireConventions, ServicesMethodsMessagesAndEnumsAreDocumented) {
  ForEachMethod([](const pb::MethodDescriptor& method) {
    ExpectComment(*method.service());
    ExpectComment(method);
  });
  ForEachEnum([](const pb::EnumDescriptor& type) {
    ExpectComment(type);
    for (int v = 1; v < type.value_count(); ++v) {  // 0 is UNSPECIFIED
      ExpectComment(*type.value(v));
    }
  });
  for (const pb::FileDescriptor* file : files_) {
    for (int m = 0; m < file->message_type_count(); ++m) {
      ExpectComment(*file->message_type(m));
    }
  }
}

TEST_F(WireConventions, FieldsAreDocumentedAloneOrWithTheLineAbove) {
  for (const pb::FileDescriptor* file : files_) {
    for (int m = 0; m < file->message_type_count(); ++m) {
      int documented_line = -1;
      for (int f = 0; f < file->message_type(m)->field_count(); ++f) {
        const pb::FieldDescriptor& field = *file->message_type(m)->field(f);
        const pb::SourceLocation location = LocationOf(field);
        const bool shares = location.start_line == documented_line + 1;
        EXPECT_TRUE(shares || !location.leading_comments.empty()) << field.full_name();
        documented_line = location.end_line;
      }
    }
  }
}

TEST_F(WireConventions, EnumsBeginWithUnspecifiedAndTheirValuesWithTheEnumsName) {
  ForEachEnum([](const pb::EnumDescriptor& type) {
    std::string prefix = std::regex_replace(type.name(), std::regex("([a-z])([A-Z])"), "$1_$2");
    for (char& c : prefix) {
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    EXPECT_EQ(type.value(0)->name(), prefix + "_UNSPECIFIED");
    for (int v = 0; v < type.value_count(); ++v) {
      EXPECT_TRUE(type.value(v)->name().starts_with(prefix + "_")) << type.value(v)->full_name();
    }
  });
}

TEST_F(WireConventions, ListsArePaged) {
  int lists = 0;
  ForEachMethod([&](const pb::MethodDescriptor& method) {
    if (!method.name().starts_with("List")) {
      return;
    }
    ++lists;
    EXPECT_NE(method.input_type()->FindFieldByName("page_size"), nullptr) << method.full_name();
    EXPECT_NE(method.input_type()->FindFieldByName("page_token"), nullptr) << method.full_name();
    EXPECT_NE(method.output_type()->FindFieldByName("next_page_token"), nullptr)
        << method.full_name();
  });
  EXPECT_GE(lists, 5);
}

TEST_F(WireConventions, CallsThatChangeSomethingTakeActorAndRequestId) {
  int changing = 0;
  ForEachMethod([&](const pb::MethodDescriptor& method) {
    const std::string& service = method.service()->name();
    if (service == "RecordService" || service == "LiveStoreService" ||
        BeginsWithAny(method.name(), {"Get", "List", "Watch", "Find", "Compare", "Discover"}) ||
        method.name() == "ResolvePoint" || method.name() == "ResolveTenants") {
      return;
    }
    if (BeginsWithAny(method.name(), {"Export"})) {
      // Changes nothing, so that it may be repeated; but who asked is in the audit.
      EXPECT_NE(method.input_type()->FindFieldByName("actor"), nullptr) << method.full_name();
      return;
    }
    ++changing;
    EXPECT_NE(method.input_type()->FindFieldByName("request_id"), nullptr) << method.full_name();
    EXPECT_NE(method.input_type()->FindFieldByName("actor"), nullptr) << method.full_name();
  });
  EXPECT_GE(changing, 10);
}

// Debian's python3-grpc-tools has a compiler that refuses the keyword.
TEST_F(WireConventions, NoFieldIsDeclaredOptional) {
  for (const pb::FileDescriptor* file : files_) {
    for (int m = 0; m < file->message_type_count(); ++m) {
      for (int f = 0; f < file->message_type(m)->field_count(); ++f) {
        const pb::FieldDescriptor& field = *file->message_type(m)->field(f);
        EXPECT_FALSE(field.has_optional_keyword()) << field.full_name();
      }
    }
  }
}

TEST_F(WireConventions, WatchesAreStreams) {
  ForEachMethod([](const pb::MethodDescriptor& method) {
    if (method.name().starts_with("Watch")) {
      EXPECT_TRUE(method.server_streaming()) << method.full_name();
    }
  });
}

// A word in capitals with an underscore in a method's comment is a reason or a value of an enum.
TEST_F(WireConventions, ErrorsOfMethodsAreReasonsThatExist) {
  std::set<std::string> known;
  for (const ReasonInfo& info : AllReasons()) {
    known.emplace(info.name);
  }
  ForEachEnum([&](const pb::EnumDescriptor& type) {
    for (int v = 0; v < type.value_count(); ++v) {
      std::string name = type.value(v)->name();
      for (size_t at = name.find('_'); at != std::string::npos; at = name.find('_', at + 1)) {
        known.insert(name.substr(at + 1));
      }
    }
  });
  const std::regex word("[A-Z]+(_[A-Z]+)+");
  int words = 0;
  ForEachMethod([&](const pb::MethodDescriptor& method) {
    const std::string comment = LocationOf(method).leading_comments;
    for (std::sregex_iterator it(comment.begin(), comment.end(), word), end; it != end; ++it) {
      ++words;
      EXPECT_TRUE(known.contains(it->str())) << method.full_name() << ": " << it->str();
    }
  });
  EXPECT_GE(words, 50);
}

}  // namespace
}  // namespace reinstate
