#include "storage/state/change_set.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace reinstate {

void ChangeSet::Put(StateFamily family, std::string key,
                    const google::protobuf::MessageLite& value) {
  records_[{family, std::move(key)}] = value.SerializeAsString();
}

void ChangeSet::Delete(StateFamily family, std::string key) {
  records_[{family, std::move(key)}] = std::nullopt;
}

std::string SerializeDeterministic(const google::protobuf::MessageLite& value) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream output(&bytes);
    google::protobuf::io::CodedOutputStream coded(&output);
    coded.SetSerializationDeterministic(true);
    value.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace reinstate
