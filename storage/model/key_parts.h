#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reinstate {

// Parts of ordered keys. Concatenations compare bytewise in the order of their parts, and none is a
// prefix of another with the same kinds of parts.
//
// Bytes are escaped as 00 -> 00 FF and end with 00 01. Numbers are big-endian of fixed width.
// (The scheme of google/orderedcode, which also describes why the order holds.)

void AppendKeyPart(std::string_view bytes, std::string* key);
void AppendKeyPart32(uint32_t number, std::string* key);
void AppendKeyPart64(uint64_t number, std::string* key);

// Take a part from the front of `key`. False if it is malformed; `key` is then unspecified.
bool ConsumeKeyPart(std::string_view* key, std::string* bytes);
bool ConsumeKeyPart32(std::string_view* key, uint32_t* number);
bool ConsumeKeyPart64(std::string_view* key, uint64_t* number);

}  // namespace reinstate
