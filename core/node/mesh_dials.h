// Dials that are under way: a name is looked up, addresses and keys are tried one after the
// other, until somebody with a trusted key answers.
//
// Where the listener's key is not known, the trusted keys are tried in turn, the one that fitted
// last time first; what one dial has no time for the next one goes on with.
//
// A packet that opens a connection and is lost is sent again after 1, 3, 7 s.  So that a path
// that is back is not waited for, a second connection is tried beside it twice a second, until
// one of the two is there.
//
// Threads: one at a time.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "core/base/clock.h"
#include "core/mesh/values.h"
#include "core/node/dialler.h"
#include "core/node/name_lookup.h"
#include "core/node/trust_store.h"

namespace marram {

class MeshDials {
 public:
  struct Options {
    CurveKey key;  // empty: plain links
    bool plain_anywhere = false;
    Duration within = std::chrono::seconds(10);
    std::size_t dials_max = 256;  // at a time
  };
  // How one ended: with a connection, or with why there is none.
  struct Done {
    mesh::Dial dial;
    std::string key;  // proved, of the listener
    std::unique_ptr<Dialler> dialler;
    std::string reason;  // a word for counts; empty: not refused, only not reached
    Error why{Errc::Unreachable, ""};
  };

  // Both outlive this; no list trusts nobody.
  MeshDials(zmq::context_t& context, const TrustList* trust, Options options)
      : context_(context), trust_(trust), options_(std::move(options)) {}

  // Begins with the next run().
  void dial(mesh::Dial dial);
  // Goes on with all of them.
  std::vector<Done> run(TimePoint now);
  std::optional<TimePoint> wake_at() const;
  void add_poll_items(std::vector<zmq::pollitem_t>& items);

 private:
  struct Attempt {
    mesh::Dial dial;
    std::optional<TimePoint> until;
    std::unique_ptr<NameLookup> lookup;
    std::vector<std::string> addresses;
    std::vector<std::string> keys;
    std::size_t address = 0;  // being tried
    std::size_t key = 0;
    std::unique_ptr<Dialler> dialler;
    std::unique_ptr<Dialler> second;
    TimePoint second_at{};  // when it is tried, anew
    std::string last;       // why the last try failed
  };
  struct Memory {
    std::string fitted;
    std::size_t tried = 0;  // keys, in turn
  };

  bool step(Attempt& attempt, TimePoint now);
  bool begin(Attempt& attempt);
  bool look_up(Attempt& attempt);
  Result<std::unique_ptr<Dialler>> connect(const Attempt& attempt);
  void try_beside(Attempt& attempt);
  bool try_next(Attempt& attempt);
  void finish(Attempt& attempt, std::string reason, Error why);
  void succeed(Attempt& attempt);
  std::vector<std::string> keys_for(const mesh::Dial& dial);
  bool admits(const std::string& key) const;
  Memory& memory(const std::string& address);

  zmq::context_t& context_;
  const TrustList* trust_;
  const Options options_;
  std::list<Attempt> attempts_;
  std::vector<Done> done_;
  std::map<std::string, Memory> memories_;  // by address
  std::uint64_t serial_ = 0;
  TimePoint now_{};
};

}  // namespace marram
