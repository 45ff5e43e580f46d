// Who may connect: public keys from the configuration and from a folder.
//
// In the folder every file NAME.pub has one public key (Z85, 40 characters) on its first line; NAME
// is for people.  An empty list is nobody.  The folder is watched (inotify), so that `marram
// peer trust` and `revoke` take effect in a running node:
//
//     run(): if (trust.changed()) { transport.trust_changed(); mesh.revoke(id) of who is gone }
//
// Threads: one at a time; the functions at the end are without state.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/base/result.h"

namespace marram {

// Who may connect.
class TrustList {
 public:
  virtual ~TrustList() = default;
  virtual bool admits(const std::string& key) const = 0;  // Z85
  virtual std::vector<std::string> keys() const = 0;
};

class TrustStore : public TrustList {
 public:
  // Makes the folder (0700) when it is not there; an empty path: none.
  //
  // Errors: Config  a key of `keys`, or a file of the folder, is none; with its name
  //         Io      the folder cannot be made or read
  static Result<std::unique_ptr<TrustStore>> open(std::vector<std::string> keys,
                                                  std::filesystem::path folder, Log& log);
  ~TrustStore() override;

  bool admits(const std::string& key) const override;
  std::vector<std::string> keys() const override;

  // Readable when something in the folder changed; -1: not watched.
  int fd() const { return watch_; }
  // Looks whether it did, and reads the folder again.  True when the list is another one
  // now.  A folder with a broken file is logged and leaves the list as it was.
  bool changed();
  // Replaces the keys of the configuration.  Errors: Config  nothing changed
  Status set_keys(std::vector<std::string> keys);

 private:
  TrustStore(std::filesystem::path folder, Log& log);
  void start_watch();
  Status load(const std::vector<std::string>& configured);

  const std::filesystem::path folder_;
  Log& log_;
  int watch_ = -1;
  std::vector<std::string> configured_;
  std::set<std::string> trusted_;
};

// One file of the folder.
struct TrustedKey {
  std::string name;
  std::string key;
};

// By name.  No folder is an empty one.  Errors: Config  with the file; Io
Result<std::vector<TrustedKey>> read_trust_folder(const std::filesystem::path& folder);

// Writes NAME.pub, whole or not at all; makes the folder.
// Errors: Invalid  the name (letters, digits, ".", "_", "-") or the key
//         Exists   the name stands for another key
//         Io
Status trust_key(const std::filesystem::path& folder, const std::string& name,
                 const std::string& key);

// Removes every file whose name, key or node id is `which`; how many.  Errors: NotFound, Io
Result<std::size_t> revoke_key(const std::filesystem::path& folder, const std::string& which);

}  // namespace marram
