#include "core/wire/writer.h"

#include <msgpack.hpp>

namespace marram::wire {

namespace {

// What msgpack writes to.
struct Sink {
  std::string& frame;
  void write(const char* bytes, std::size_t size) { frame.append(bytes, size); }
};

class Packer {
 public:
  explicit Packer(std::string& frame) : sink_{frame}, packer_(sink_) {}
  msgpack::packer<Sink>* operator->() { return &packer_; }

 private:
  Sink sink_;
  msgpack::packer<Sink> packer_;
};

}  // namespace

Writer& Writer::array(std::size_t count) {
  Packer(frame_)->pack_array(static_cast<std::uint32_t>(count));
  return *this;
}

Writer& Writer::number(std::uint64_t value) {
  Packer(frame_)->pack_uint64(value);
  return *this;
}

Writer& Writer::micros(std::int64_t value) {
  Packer(frame_)->pack_int64(value);
  return *this;
}

Writer& Writer::flag(bool value) {
  Packer out(frame_);
  value ? out->pack_true() : out->pack_false();
  return *this;
}

Writer& Writer::nil() {
  Packer(frame_)->pack_nil();
  return *this;
}

Writer& Writer::text(std::string_view value) {
  Packer(frame_)->pack_str(static_cast<std::uint32_t>(value.size()));
  frame_.append(value);
  return *this;
}

Writer& Writer::bytes(std::string_view value) {
  Packer(frame_)->pack_bin(static_cast<std::uint32_t>(value.size()));
  frame_.append(value);
  return *this;
}

Writer& Writer::texts(const std::vector<std::string>& values) {
  array(values.size());
  for (const std::string& value : values) text(value);
  return *this;
}

}  // namespace marram::wire
