#include "core/node/trust_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "core/node/key_file.h"

namespace marram {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".pub";
constexpr std::size_t kKeysMax = 65'536;
constexpr std::size_t kNameBytesMax = 128;

tl::unexpected<Error> failed(std::string_view what, const fs::path& path) {
  return fail(Errc::Io,
              fmt::format("trust: cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

// Who can write there decides who is trusted.
Status check_private(const fs::path& folder) {
  struct stat found{};
  if (::stat(folder.c_str(), &found) != 0) return failed("read", folder);
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return fail(Errc::Config, fmt::format("trust: others may write to {} (mode {:o}): make it yours "
                                        "alone with chmod 700 {}",
                                        folder.string(), found.st_mode & 07777, folder.string()));
}

// Config: there is none.  Io: that could not be seen, for want of descriptors or the like.
Result<std::string> read_key(const fs::path& path) {
  errno = 0;
  std::ifstream file(path);
  if (!file.is_open()) {
    const bool passing = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO;
    if (passing) return failed("read", path);
    return fail(Errc::Config, fmt::format("trust: cannot read {}: {} (mend it, or move it away)",
                                          path.string(), std::strerror(errno)));
  }
  std::array<char, 256> start{};
  file.getline(start.data(), start.size());
  std::string line = start.data();
  while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
  if (is_curve_key(line)) return line;
  return fail(Errc::Config, fmt::format("trust: {} has no public key on its first line (40 "
                                        "characters, as marram key show prints): mend it, or "
                                        "move it away",
                                        path.string()));
}

Status check_name(const std::string& name) {
  const auto good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= kNameBytesMax && name.front() != '.' && name.front() != '-' &&
      std::ranges::all_of(name, good)) {
    return {};
  }
  return fail(Errc::Invalid, fmt::format("trust: \"{}\" cannot be a peer's name (letters, digits, "
                                         "\".\", \"_\" and \"-\", neither \".\" nor \"-\" first)",
                                         name));
}

Status make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::create_directories(folder, error)) {
    fs::permissions(folder, fs::perms::owner_all, error);
  }
  if (!error) return {};
  return fail(Errc::Io, fmt::format("trust: cannot make {}: {}", folder.string(), error.message()));
}

Status check_keys(const std::vector<std::string>& configured) {
  for (const std::string& key : configured) {
    if (is_curve_key(key)) continue;
    return fail(Errc::Config, fmt::format("trust: \"{}\" in mesh.trust is no public key (40 "
                                          "characters, as marram key show prints)",
                                          key));
  }
  return {};
}

// Whole or not at all under its name.
Status write_file(const fs::path& path, const std::string& text) {
  const std::string draft = path.string() + ".new";
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed("write", draft);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  ::close(fd);
  if (!written || ::rename(draft.c_str(), path.c_str()) != 0) return failed("write", path);
  return {};
}

}  // namespace

Result<std::unique_ptr<TrustStore>> TrustStore::open(std::vector<std::string> keys, fs::path folder,
                                                     Log& log) {
  std::unique_ptr<TrustStore> store(new TrustStore(std::move(folder), log));
  if (!store->folder_.empty()) {
    if (auto status = make_folder(store->folder_); !status) return tl::unexpected(status.error());
    store->start_watch();
    auto files = read_trust_folder(store->folder_);
    if (!files) return tl::unexpected(files.error());
    store->take(std::move(files));
  }
  if (auto status = check_keys(keys); !status) return tl::unexpected(status.error());
  store->configured_ = std::move(keys);
  store->combine();
  return store;
}

TrustStore::TrustStore(fs::path folder, Log& log) : folder_(std::move(folder)), log_(log) {}

TrustStore::~TrustStore() {
  if (watch_ >= 0) ::close(watch_);
}

// Before the first reading, so that no change falls between the two.
void TrustStore::start_watch() {
  watch_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
  if (watch_ >= 0 && ::inotify_add_watch(watch_, folder_.c_str(), kChanges) >= 0) return;
  log_.warn("mesh",
            fmt::format("trust: cannot watch {}: {} (changes there take effect at a reload)",
                        folder_.string(), std::strerror(errno)));
  if (watch_ >= 0) ::close(std::exchange(watch_, -1));
}

bool TrustStore::admits(const std::string& key) const { return trusted_.contains(key); }

std::vector<std::string> TrustStore::keys() const { return {trusted_.begin(), trusted_.end()}; }

std::vector<int> TrustStore::fds() const {
  std::vector<int> all{readings_->fd()};
  if (watch_ >= 0) all.push_back(watch_);
  return all;
}

bool TrustStore::touched() const {
  alignas(inotify_event) std::array<char, 4096> events{};
  bool any = false;
  while (watch_ >= 0 && ::read(watch_, events.data(), events.size()) > 0) any = true;
  return any;
}

bool TrustStore::changed() {
  bool other = false;
  stale_ = touched() || stale_;
  std::vector<Result<TrustFolder>> read;
  if (readings_->take(read)) {
    const auto before = trusted_;
    reading_ = false;
    for (auto& one : read) take(std::move(one));
    combine();
    other = trusted_ != before;
  }
  if (stale_ && !reading_) read_again();
  return other;
}

void TrustStore::read_again() {
  stale_ = false;
  reading_ = true;
  try {
    std::thread([folder = folder_, readings = readings_] {
      (void)readings->post(read_trust_folder(folder));
    }).detach();
  } catch (const std::system_error&) {
    (void)readings_->post(read_trust_folder(folder_));
  }
}

void TrustStore::take(Result<TrustFolder> read) {
  if (!read) {
    log_.error("mesh", fmt::format("{}; who is trusted stays as it was", read.error().message));
    return;
  }
  filed_.clear();
  for (TrustedKey& file : read->keys) filed_.push_back(std::move(file.key));
  warn(read->broken);
}

// Each file once, until it is mended.
void TrustStore::warn(const std::vector<TrustFolder::Broken>& broken) {
  const std::set<std::string> before = std::exchange(warned_, {});
  for (const TrustFolder::Broken& file : broken) {
    warned_.insert(file.name);
    if (!before.contains(file.name)) log_.warn("mesh", file.why);
  }
}

void TrustStore::combine() {
  trusted_ = {configured_.begin(), configured_.end()};
  trusted_.insert(filed_.begin(), filed_.end());
}

Status TrustStore::set_keys(std::vector<std::string> keys) {
  if (auto status = check_keys(keys); !status) return status;
  configured_ = std::move(keys);
  combine();
  if (!folder_.empty()) stale_ = true;
  if (stale_ && !reading_) read_again();
  return {};
}

Result<TrustFolder> read_trust_folder(const fs::path& folder) {
  TrustFolder all;
  std::error_code error;
  if (!fs::exists(folder, error)) return all;
  if (auto status = check_private(folder); !status) return tl::unexpected(status.error());
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (!name.ends_with(kEnding) || name.starts_with('.')) continue;
    name.resize(name.size() - kEnding.size());
    auto key = read_key(at->path());
    if (key) {
      all.keys.push_back({std::move(name), std::move(*key)});
    } else if (key.error().code == Errc::Config) {
      all.broken.push_back({std::move(name), std::move(key.error().message)});
    } else {
      return tl::unexpected(key.error());
    }
    if (all.keys.size() + all.broken.size() > kKeysMax) {
      return fail(Errc::Config,
                  fmt::format("trust: {} has more than {} keys", folder.string(), kKeysMax));
    }
  }
  if (error) {
    return fail(Errc::Io,
                fmt::format("trust: cannot read {}: {}", folder.string(), error.message()));
  }
  std::ranges::sort(all.keys, {}, &TrustedKey::name);
  std::ranges::sort(all.broken, {}, &TrustFolder::Broken::name);
  return all;
}

Status trust_key(const fs::path& folder, const std::string& name, const std::string& key) {
  if (auto status = check_name(name); !status) return status;
  if (!is_curve_key(key)) {
    return fail(Errc::Invalid, fmt::format("trust: \"{}\" is no public key (40 characters, as "
                                           "marram key show prints)",
                                           key));
  }
  if (auto status = make_folder(folder); !status) return status;
  const fs::path path = folder / (name + std::string(kEnding));
  std::error_code ignored;
  if (fs::exists(path, ignored)) {
    const auto there = read_key(path);
    if (there && *there == key) return {};
    if (!there) return tl::unexpected(there.error());
    return fail(Errc::Exists,
                fmt::format("trust: {} has another key (revoke it first, or choose another name)",
                            path.string()));
  }
  return write_file(path, key + "\n");
}

Result<Revoked> revoke_key(const fs::path& folder, const std::string& which) {
  auto all = read_trust_folder(folder);
  if (!all) return tl::unexpected(all.error());
  for (TrustFolder::Broken& file : all->broken) all->keys.push_back({std::move(file.name), ""});
  Revoked done;
  for (TrustedKey& file : all->keys) {
    const bool meant =
        file.name == which ||
        (!file.key.empty() && (file.key == which || node_id_of_key(file.key) == which));
    if (!meant) {
      done.left.push_back(std::move(file));
      continue;
    }
    const fs::path path = folder / (file.name + std::string(kEnding));
    if (::unlink(path.c_str()) != 0) return failed("remove", path);
    done.removed.push_back(std::move(file));
  }
  std::erase_if(done.left, [&](const TrustedKey& other) {
    return other.key.empty() ||
           std::ranges::find(done.removed, other.key, &TrustedKey::key) == done.removed.end();
  });
  if (!done.removed.empty()) return done;
  return fail(Errc::NotFound, fmt::format("trust: nobody in {} is called, or has the key or id, {} "
                                          "(marram peer ls lists them)",
                                          folder.string(), which));
}

}  // namespace marram
