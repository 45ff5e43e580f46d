#include "core/store/header_json.h"

#include <optional>

#include "core/event/headers.h"

namespace marram::store {

namespace {

void append_text(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// Reads the subset of JSON that append_text() writes.
class JsonReader {
 public:
  explicit JsonReader(std::string_view rest) : rest_(rest) {}

  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool at_end() const { return rest_.empty(); }

  bool take_text(std::string& out) {
    out.clear();
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        out += c;
      } else if (!take_escape(out)) {
        return false;
      }
    }
    return false;
  }

 private:
  bool take_escape(std::string& out) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"' || c == '\\') {
      out += c;
      return true;
    }
    if (c != 'u' || !rest_.starts_with("00") || rest_.size() < 4) return false;
    const auto high = digit(rest_[2]);
    const auto low = digit(rest_[3]);
    if (!high || !low) return false;
    out += static_cast<char>(*high << 4 | *low);
    rest_.remove_prefix(4);
    return true;
  }

  static std::optional<int> digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return {};
  }

  std::string_view rest_;
};

}  // namespace

void append_header_json(std::string& out, std::string_view packed) {
  out += '[';
  HeaderReader reader(packed);
  bool first = true;
  while (const auto pair = reader.next()) {
    if (!first) out += ',';
    first = false;
    out += '[';
    append_text(out, pair->first);
    out += ',';
    append_text(out, pair->second);
    out += ']';
  }
  out += ']';
}

bool append_packed_headers(std::string& out, std::string_view json) {
  JsonReader reader(json);
  std::string name;
  std::string value;
  if (!reader.take('[')) return false;
  if (reader.take(']')) return reader.at_end();
  do {
    if (!reader.take('[') || !reader.take_text(name) || !reader.take(',') ||
        !reader.take_text(value) || !reader.take(']')) {
      return false;
    }
    if (!append_header(out, name, value)) return false;
  } while (reader.take(','));
  return reader.take(']') && reader.at_end();
}

}  // namespace marram::store
