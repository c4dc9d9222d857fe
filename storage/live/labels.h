#pragma once

#include <string>
#include <string_view>

namespace reinstate {

// How many labels of a tenant are kept, and how long one is.
inline constexpr size_t kMaxLabels = 64;
inline constexpr size_t kMaxLabelBytes = 1024;

// The label that the payload of a record of the label table stands for: its text, with what is not
// UTF-8 replaced and what is beyond kMaxLabelBytes cut off, so that it can be shown and sent.
std::string LabelFromPayload(std::string_view payload);

}  // namespace reinstate
