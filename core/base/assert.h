// MARRAM_ASSERT states what must hold for our own code to be correct.
//
// It stays on in release builds: a broken invariant stops the process with the
// place and the sentence, before it can damage what is stored.  It is never
// used for input; what a stranger or a disk can cause is a Result.
#pragma once

namespace marram {

[[noreturn]] void assertion_failed(const char* condition, const char* sentence, const char* file,
                                   int line);

}  // namespace marram

#define MARRAM_ASSERT(condition, sentence) \
  ((condition) ? void(0) : ::marram::assertion_failed(#condition, sentence, __FILE__, __LINE__))
