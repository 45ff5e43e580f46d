// Appends msgpack values to a frame; the counterpart of tape.h's Reader.
//
// For core/wire's own sources.  What is written is not checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/event/event.h"

namespace marram::wire {

class Writer {
 public:
  explicit Writer(std::size_t bytes) { frame_.reserve(bytes); }

  // A frame of `verb` with so many elements behind it.
  template <class AnyVerb>
    requires std::is_enum_v<AnyVerb>
  Writer(AnyVerb verb, std::size_t elements, std::size_t bytes = 64) : Writer(bytes) {
    array(elements + 1);
    number(static_cast<std::uint64_t>(verb));
  }

  Writer& array(std::size_t count);
  Writer& number(std::uint64_t value);
  Writer& micros(std::int64_t value);
  Writer& time(WallTime value) { return micros(value.time_since_epoch().count()); }
  Writer& duration(Duration value) { return micros(value.count()); }
  Writer& position(Position value) { return number(static_cast<std::uint64_t>(value.packed())); }
  Writer& flag(bool value);
  Writer& nil();
  Writer& text(std::string_view value);
  Writer& bytes(std::string_view value);
  Writer& uuid(const Uuid& value) {
    return bytes({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
  }
  Writer& texts(const std::vector<std::string>& values);
  Writer& log(const LogId& value) {  // three elements
    return text(value.origin).text(value.epoch).text(value.stream);
  }
  Writer& error(const Error& error) { return text(name(error.code)).text(error.message); }
  Writer& status(const Status& status) {
    return status ? text("").text("") : error(status.error());
  }

  std::string take() { return std::move(frame_); }

 private:
  std::string frame_;
};

}  // namespace marram::wire
