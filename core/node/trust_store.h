// Who may connect: public keys from the configuration and from a folder.
//
// In the folder every file NAME.pub has one public key (Z85, 40 characters) on its first line; NAME
// is for people.  An empty list is nobody.  A file that holds no key trusts nobody and is warned
// of; it does not keep the others from counting.  The folder is watched (inotify), so that `marram
// peer trust` and `revoke` take effect in a running node:
//
//     run(): if (trust.changed()) { transport.trust_changed(); mesh.revoke(id) of who is gone }
//
// Threads: one at a time.  Once it is open the folder is read by a thread of its own, a reading
// at a time: whoever asks does not wait for a disk.  The functions at the end are without state.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/base/mailbox.h"
#include "core/base/result.h"

namespace marram {

// Who may connect.
class TrustList {
 public:
  virtual ~TrustList() = default;
  virtual bool admits(const std::string& key) const = 0;  // Z85
  virtual std::vector<std::string> keys() const = 0;
};

// One file of the folder.
struct TrustedKey {
  std::string name;
  std::string key;
};

// All of them, by name.
struct TrustFolder {
  // A file without a key.
  struct Broken {
    std::string name;
    std::string why;  // with its path, and what to do
  };
  std::vector<TrustedKey> keys;
  std::vector<Broken> broken;
};

// What revoke_key() did.
struct Revoked {
  std::vector<TrustedKey> removed;  // without a key: it was broken
  std::vector<TrustedKey> left;     // other names that a removed key is still trusted under
};

class TrustStore : public TrustList {
 public:
  // Makes the folder (0700) when it is not there; an empty path: none.
  //
  // Errors: Config  a key of `keys` is none; others may write to the folder
  //         Io      the folder cannot be made or read
  static Result<std::unique_ptr<TrustStore>> open(std::vector<std::string> keys,
                                                  std::filesystem::path folder, Log& log);
  ~TrustStore() override;

  bool admits(const std::string& key) const override;
  std::vector<std::string> keys() const override;

  // One of them is readable when changed() has something to do.
  std::vector<int> fds() const;
  // Begins to read the folder again when something in it changed, and takes up what was read.
  // True when the list is another one now.  A folder that cannot be read is logged and leaves the
  // list as it was.
  bool changed();
  // Replaces the keys of the configuration at once, and has the folder read again.
  // Errors: Config  nothing changed
  Status set_keys(std::vector<std::string> keys);

 private:
  using Readings = Mailbox<Result<TrustFolder>>;

  TrustStore(std::filesystem::path folder, Log& log);
  void start_watch();
  bool touched() const;
  void read_again();
  void take(Result<TrustFolder> read);
  void warn(const std::vector<TrustFolder::Broken>& broken);
  void combine();

  const std::filesystem::path folder_;
  Log& log_;
  int watch_ = -1;
  std::shared_ptr<Readings> readings_ = std::make_shared<Readings>();  // shared with its thread
  bool reading_ = false;
  bool stale_ = false;  // the folder changed since it was read, or while it is
  std::vector<std::string> configured_;
  std::vector<std::string> filed_;
  std::set<std::string> warned_;  // of these files
  std::set<std::string> trusted_;
};

// No folder is an empty one.
// Errors: Config  others may write to it; too many keys
//         Io      it, or a file of it, cannot be read now
Result<TrustFolder> read_trust_folder(const std::filesystem::path& folder);

// Writes NAME.pub, whole or not at all; makes the folder.
// Errors: Invalid  the name (letters, digits, ".", "_", "-") or the key
//         Exists   the name stands for another key
//         Io
Status trust_key(const std::filesystem::path& folder, const std::string& name,
                 const std::string& key);

// Removes every file whose name, key or node id is `which`.  Errors: NotFound; Config, Io
Result<Revoked> revoke_key(const std::filesystem::path& folder, const std::string& which);

}  // namespace marram
