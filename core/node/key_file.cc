#include "core/node/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <zmq.hpp>

#include "core/base/assert.h"

namespace marram {

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kTextBytes = 40;  // of a key in Z85
constexpr std::size_t kFileBytesMax = 4096;
constexpr std::size_t kIdBytes = 16;

using KeyBytes = std::array<std::uint8_t, kKeyBytes>;

std::optional<KeyBytes> bytes_of(const std::string& z85) {
  constexpr std::string_view kMarks = ".-:+=^!/*?&<>()[]{}@%$#";
  if (z85.size() != kTextBytes) return {};
  for (const char c : z85) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain && kMarks.find(c) == std::string_view::npos) return {};
  }
  KeyBytes bytes{};
  if (zmq_z85_decode(bytes.data(), z85.c_str()) == nullptr) return {};
  return bytes;
}

tl::unexpected<Error> failed(std::string_view what, const std::filesystem::path& path) {
  return fail(errno == EEXIST ? Errc::Exists : Errc::Io,
              fmt::format("key: cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

std::string line_value(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') continue;
    line.remove_prefix(name.size() + 1);
    while (line.ends_with(' ') || line.ends_with('\r')) line.remove_suffix(1);
    return std::string(line);
  }
  return {};
}

// Checked on what is open, not on what the name may mean a moment later.
Result<std::string> read_private(int fd, const std::filesystem::path& path) {
  struct stat file{};
  if (::fstat(fd, &file) != 0) return failed("read", path);
  if ((file.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(Errc::Refused,
                fmt::format("key: others may use {} (mode {:o}): make it private "
                            "with chmod 600 {}, and where somebody may have read it, "
                            "move it away first and make a new key with marram key new",
                            path.string(), file.st_mode & 07777, path.string()));
  }
  std::string text(kFileBytesMax, '\0');
  const ssize_t got = ::read(fd, text.data(), text.size());
  if (got < 0) return failed("read", path);
  text.resize(static_cast<std::size_t>(got));
  return text;
}

Result<CurveKey> parse(std::string_view text, const std::filesystem::path& path) {
  CurveKey key{line_value(text, "public"), line_value(text, "secret")};
  std::array<char, kTextBytes + 1> derived{};
  const bool keys = is_curve_key(key.public_key) && is_curve_key(key.secret_key);
  if (keys && zmq_curve_public(derived.data(), key.secret_key.c_str()) == 0 &&
      key.public_key == derived.data()) {
    return key;
  }
  return fail(
      Errc::Config,
      fmt::format("key: {} is no key file: {} (move it away first, then marram key new makes one)",
                  path.string(),
                  keys ? "its halves do not belong together"
                       : "it has no lines \"public KEY\" and \"secret KEY\""));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno != EINTR) return false;
    if (done > 0) text.remove_prefix(static_cast<std::size_t>(done));
  }
  return ::fsync(fd) == 0;
}

// The name of a new file is on disk too.
void sync_folder(const std::filesystem::path& path) {
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)::fsync(fd);
  ::close(fd);
}

}  // namespace

CurveKey make_curve_key() {
  std::array<char, kTextBytes + 1> public_key{};
  std::array<char, kTextBytes + 1> secret_key{};
  const auto begins_with_letter = [&] {
    const char first = public_key[0];
    return (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
  };
  do {
    const int made = zmq_curve_keypair(public_key.data(), secret_key.data());
    MARRAM_ASSERT(made == 0, "libzmq is built with CURVE");
  } while (!begins_with_letter());
  return {public_key.data(), secret_key.data()};
}

bool is_curve_key(const std::string& text) { return bytes_of(text).has_value(); }

std::string node_id_of_key(const std::string& z85) {
  const auto key = bytes_of(z85);
  if (!key) return {};
  std::array<std::uint8_t, kIdBytes> id{};
  crypto_generichash(id.data(), id.size(), key->data(), key->size(), nullptr, 0);
  std::string out;
  for (const std::uint8_t byte : id) out += fmt::format("{:02x}", byte);
  return out;
}

Result<CurveKey> read_key_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    return fail(Errc::NotFound, fmt::format("key: there is no {} (marram key new makes it, as "
                                            "does the first start of a node)",
                                            path.string()));
  }
  if (fd < 0) return failed("open", path);
  const auto text = read_private(fd, path);
  ::close(fd);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path);
}

Result<CurveKey> make_key_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (path.has_parent_path() && std::filesystem::create_directories(path.parent_path(), ignored)) {
    std::filesystem::permissions(path.parent_path(), std::filesystem::perms::owner_all, ignored);
  }
  CurveKey key = make_curve_key();
  const std::string text = fmt::format(
      "# The key of a marram node. Who has the secret half is that node: keep it.\n"
      "public {}\nsecret {}\n",
      key.public_key, key.secret_key);
  // Whole or not at all under its name, also when the power goes.
  const std::string draft = path.string() + ".new";
  ::unlink(draft.c_str());
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return failed("make", draft);
  const bool written = write_all(fd, text);
  ::close(fd);
  if (!written) return failed("write", draft);
  const bool named = ::link(draft.c_str(), path.c_str()) == 0;
  const int why = errno;
  ::unlink(draft.c_str());
  errno = why;
  if (!named) return failed("make", path);
  sync_folder(path);
  return key;
}

Result<CurveKey> read_or_make_key_file(const std::filesystem::path& path) {
  auto key = read_key_file(path);
  return key || key.error().code != Errc::NotFound ? key : make_key_file(path);
}

}  // namespace marram
