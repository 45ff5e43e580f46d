// A frame as bytes; as several frames where its lists are too long for one.
//
// Counts bound the lists (link_frames.h), not the bytes of the names in them.
//
// Threads: free functions without state.
#pragma once

#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/wire/link_frames.h"

namespace marram::wire {

// In the order in which they are to be sent.  Of STATE the head of `known` is kept: who is told
// of less sends more.
//
// Errors: TooLarge  an entry alone, or a frame without a list, is over kLinkFrameBytesMax
Result<std::vector<std::string>> encode_in_frames(const LinkFrame& frame);

}  // namespace marram::wire
