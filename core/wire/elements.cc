#include "core/wire/elements.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/wire/writer.h"

namespace marram::wire {

namespace {

void read_id(Reader& in, EventView& event) {
  if (in.nil()) return;
  if (in.next_is(Token::Kind::Text)) {
    event.id = in.text("event id");
    return;
  }
  const std::string_view bytes = in.bytes("event id");
  if (bytes.size() != event.uuid.bytes.size()) {
    in.refuse("event id", "does not have 16 bytes");
    return;
  }
  std::copy(bytes.begin(), bytes.end(), event.uuid.bytes.begin());
}

}  // namespace

std::size_t fields_of(const EventView& event) {
  if (event.expires != WallTime()) return 9;
  if (!event.client.empty()) return 8;
  if (!event.headers.empty()) return 7;
  if (!event.content_type.empty()) return 6;
  return event.key.empty() ? 4 : 5;
}

void write_fields(Writer& out, const EventView& event, std::size_t fields) {
  out.text(event.topic).bytes(event.payload);
  if (!event.id.empty()) {
    out.text(event.id);
  } else if (event.uuid.is_nil()) {
    out.nil();
  } else {
    out.uuid(event.uuid);
  }
  out.time(event.time);
  if (fields > 4) out.bytes(event.key);
  if (fields > 5) out.text(event.content_type);
  if (fields > 6) out.bytes(event.headers);
  if (fields > 7) out.text(event.client);
  if (fields > 8) out.time(event.expires);
}

void read_fields(Reader& in, EventView& event, std::size_t count) {
  event.topic = in.text("topic");
  event.payload = in.bytes("payload");
  read_id(in, event);
  event.time = read_time(in, "time");
  if (count > 4) event.key = in.bytes("key");
  if (count > 5) event.content_type = in.text("content type");
  if (count > 6) event.headers = in.bytes("headers");
  if (count > 7) event.client = in.text("client");
  if (count > 8) event.expires = read_time(in, "expires");
}

WallTime read_time(Reader& in, const char* what) {
  return WallTime(Duration(in.signed_number(what)));
}

Duration read_duration(Reader& in, const char* what) {
  return Duration(static_cast<std::int64_t>(in.number(what, INT64_MAX)));
}

std::vector<std::string> read_texts(Reader& in, const char* what, std::size_t most) {
  const Reader::Array array = in.array(what, 0, most);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < array.count && in.ok(); ++i) texts.emplace_back(in.text(what));
  return texts;
}

Hello read_hello(Reader& in) {
  Hello hello;
  if (in.text("magic") != kMagic) in.refuse("magic", "is not \"marram\"");
  hello.low = static_cast<std::uint32_t>(in.number("lowest version", UINT32_MAX));
  hello.high = static_cast<std::uint32_t>(in.number("highest version", UINT32_MAX));
  hello.role = in.text("role");
  hello.name = in.text("name");
  hello.instance = in.text("instance");
  hello.silent_after = read_duration(in, "silent_after");
  return hello;
}

std::optional<Error> read_error(Reader& in) {
  const std::string_view code = in.text("error code");
  std::string message(in.text("error message"));
  if (code.empty()) return {};
  for (int i = 0; i <= static_cast<int>(Errc::Forked); ++i) {
    if (name(static_cast<Errc>(i)) == code) return Error{static_cast<Errc>(i), std::move(message)};
  }
  return Error{Errc::Refused, fmt::format("{} ({})", message, code)};
}

Error read_reason(Reader& in) {
  return read_error(in).value_or(Error{Errc::Closed, "closed by the other side"});
}

}  // namespace marram::wire
