// The msgpack values of one frame, flat and in order, and a reader for them.
//
// msgpack-cxx walks the bytes; the tape keeps a token a value and refuses what
// no frame of ours has: maps, floats, extensions, deep arrays, more values than
// kTokensMax, bytes behind the end.  Nothing is set aside for a length that is
// announced and not there, and no byte is copied: texts point into the frame.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace marram::wire {

struct Token {
  enum class Kind : std::uint8_t { Nil, Flag, Number, Negative, Text, Bytes, Array };
  Kind kind = Kind::Nil;
  std::uint32_t size = 0;  // of a text in bytes, of an array in elements
  union {
    std::uint64_t number;  // Array: the index of the token behind it
    std::int64_t negative;
    const char* bytes;
  };
};

class Tape {
 public:
  // Replaces what was there; `frame` must outlive the reading.
  // Errors: Protocol  bytes that are no frame; the tape is empty then
  Status load(std::string_view frame);
  const std::vector<Token>& tokens() const { return tokens_; }

 private:
  std::vector<Token> tokens_;
};

// Takes one value after the other.  The first one that is not as asked for is
// kept as error(); from then on everything reads as zero or empty.
class Reader {
 public:
  explicit Reader(const Tape& tape) : tokens_(tape.tokens()) {}

  struct Array {
    std::size_t count = 0;
    std::size_t end = 0;
  };
  // An array of at least `least` and at most `most` elements.
  Array array(const char* what, std::size_t least, std::size_t most);
  // Goes on behind the array, past elements that were not asked for.
  void leave(const Array& array);

  std::uint64_t number(const char* what, std::uint64_t most = UINT64_MAX);
  std::int64_t signed_number(const char* what);
  bool flag(const char* what);
  std::string_view text(const char* what);
  std::string_view bytes(const char* what);
  bool nil();  // takes a nil if there is one
  bool next_is(Token::Kind kind) const;

  void refuse(const char* what, std::string cause);
  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }

 private:
  const Token* take(const char* what, Token::Kind kind);

  const std::vector<Token>& tokens_;
  std::size_t next_ = 0;
  std::string error_;
};

}  // namespace marram::wire
