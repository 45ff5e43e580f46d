#include "core/wire/tape.h"

#include <fmt/format.h>

#include <array>
#include <exception>
#include <msgpack.hpp>

#include "core/wire/frames.h"

namespace marram::wire {

namespace {

std::string_view name(Token::Kind kind) {
  switch (kind) {
    case Token::Kind::Nil:
      return "nil";
    case Token::Kind::Flag:
      return "a boolean";
    case Token::Kind::Number:
      return "an integer";
    case Token::Kind::Negative:
      return "a negative integer";
    case Token::Kind::Text:
      return "a text";
    case Token::Kind::Bytes:
      return "bytes";
    case Token::Kind::Array:
      return "an array";
  }
  return "nothing";
}

// What msgpack-cxx calls; false stops it.  This takes the place of unpack_limit.
class TapeVisitor : public msgpack::null_visitor {
 public:
  explicit TapeVisitor(std::vector<Token>& tokens) : tokens_(tokens) {}

  bool visit_nil() { return add(Token::Kind::Nil, 0) != nullptr; }
  bool visit_boolean(bool value) {
    Token* token = add(Token::Kind::Flag, 0);
    if (token != nullptr) token->number = value ? 1 : 0;
    return token != nullptr;
  }
  bool visit_positive_integer(std::uint64_t value) {
    Token* token = add(Token::Kind::Number, 0);
    if (token != nullptr) token->number = value;
    return token != nullptr;
  }
  bool visit_negative_integer(std::int64_t value) {
    Token* token = add(Token::Kind::Negative, 0);
    if (token != nullptr) token->negative = value;
    return token != nullptr;
  }
  bool visit_str(const char* bytes, std::uint32_t size) {
    return add_bytes(Token::Kind::Text, bytes, size);
  }
  bool visit_bin(const char* bytes, std::uint32_t size) {
    return add_bytes(Token::Kind::Bytes, bytes, size);
  }
  bool start_array(std::uint32_t count) {
    if (depth_ == kDepthMax) return stop("arrays too deep in one another");
    if (count > kTokensMax) return stop("more elements than a frame may have");
    open_[depth_++] = tokens_.size();
    return add(Token::Kind::Array, count) != nullptr;
  }
  bool end_array() {
    tokens_[open_[--depth_]].number = tokens_.size();
    return true;
  }
  bool start_map(std::uint32_t) { return stop("a map"); }
  bool visit_float32(float) { return stop("a float"); }
  bool visit_float64(double) { return stop("a float"); }
  bool visit_ext(const char*, std::uint32_t) { return stop("an extension type"); }
  void parse_error(std::size_t, std::size_t) { stop("a byte that is no msgpack"); }
  void insufficient_bytes(std::size_t, std::size_t) { stop("an end before its time"); }

  const char* reason() const { return reason_; }

 private:
  Token* add(Token::Kind kind, std::uint32_t size) {
    if (tokens_.size() == kTokensMax) {
      stop("more values than a frame may have");
      return nullptr;
    }
    Token& token = tokens_.emplace_back();
    token.kind = kind;
    token.size = size;
    token.number = 0;
    return &token;
  }
  bool add_bytes(Token::Kind kind, const char* bytes, std::uint32_t size) {
    Token* token = add(kind, size);
    if (token != nullptr) token->bytes = size == 0 ? "" : bytes;
    return token != nullptr;
  }
  bool stop(const char* reason) {
    if (reason_ == nullptr) reason_ = reason;
    return false;
  }

  std::vector<Token>& tokens_;
  std::array<std::size_t, kDepthMax> open_{};
  std::size_t depth_ = 0;
  const char* reason_ = nullptr;
};

}  // namespace

Status Tape::load(std::string_view frame) {
  tokens_.clear();
  TapeVisitor visitor(tokens_);
  std::size_t offset = 0;
  const char* cause = nullptr;
  try {
    const bool whole = msgpack::parse(frame.data(), frame.size(), offset, visitor);
    if (!whole || visitor.reason() != nullptr) {
      cause = visitor.reason() != nullptr ? visitor.reason() : "bytes that are no msgpack";
    } else if (offset != frame.size()) {
      cause = "bytes behind the end";
    }
  } catch (const std::exception&) {
    cause = "a length beyond all limits";
  }
  if (cause == nullptr) return {};
  tokens_.clear();
  return fail(Errc::Protocol, fmt::format("wire: a frame of {} bytes has {} at offset {}",
                                          frame.size(), cause, offset));
}

const Token* Reader::take(const char* what, Token::Kind kind) {
  if (!ok()) return nullptr;
  if (next_ >= tokens_.size()) {
    refuse(what, "is missing");
    return nullptr;
  }
  const Token& token = tokens_[next_];
  if (token.kind != kind) {
    refuse(what, fmt::format("is {}, not {}", name(token.kind), name(kind)));
    return nullptr;
  }
  ++next_;
  return &token;
}

void Reader::refuse(const char* what, std::string cause) {
  if (ok()) error_ = fmt::format("{} {}", what, cause);
}

bool Reader::next_is(Token::Kind kind) const {
  return ok() && next_ < tokens_.size() && tokens_[next_].kind == kind;
}

Reader::Array Reader::array(const char* what, std::size_t least, std::size_t most) {
  const Token* token = take(what, Token::Kind::Array);
  if (token == nullptr) return {};
  if (token->size < least || token->size > most) {
    refuse(what, fmt::format("has {} elements, not {} to {}", token->size, least, most));
    return {};
  }
  return {token->size, static_cast<std::size_t>(token->number)};
}

void Reader::leave(const Array& array) {
  if (ok()) next_ = array.end;
}

std::uint64_t Reader::number(const char* what, std::uint64_t most) {
  const Token* token = take(what, Token::Kind::Number);
  if (token == nullptr) return 0;
  if (token->number > most) {
    refuse(what, fmt::format("is {}, over {}", token->number, most));
    return 0;
  }
  return token->number;
}

std::int64_t Reader::signed_number(const char* what) {
  if (next_is(Token::Kind::Negative)) return take(what, Token::Kind::Negative)->negative;
  return static_cast<std::int64_t>(number(what, INT64_MAX));
}

bool Reader::flag(const char* what) {
  const Token* token = take(what, Token::Kind::Flag);
  return token != nullptr && token->number != 0;
}

std::string_view Reader::text(const char* what) {
  const Token* token = take(what, Token::Kind::Text);
  return token == nullptr ? std::string_view() : std::string_view(token->bytes, token->size);
}

std::string_view Reader::bytes(const char* what) {
  const Token* token = take(what, Token::Kind::Bytes);
  return token == nullptr ? std::string_view() : std::string_view(token->bytes, token->size);
}

bool Reader::nil() {
  if (!next_is(Token::Kind::Nil)) return false;
  ++next_;
  return true;
}

}  // namespace marram::wire
