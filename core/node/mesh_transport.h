// The sessions between nodes: ZeroMQ sockets with CURVE, on the loop thread.
//
// Moves whole frames and knows whose they are; what they mean is core/mesh's affair.
//
//     listener: one ROUTER (ROUTER_MANDATORY) bound to all of [mesh] listen
//     dialler:  one DEALER per session; when TCP is gone (socket monitor) so are socket and
//               session.  It never reconnects by itself (RECONNECT_IVL -1).
//
// - A key is proved by CURVE before the first frame: a ZAP handler on inproc admits the
//   trusted keys alone (fail closed: no handler, no list, no entry: nobody), and answers with the
//   node id (hash of the key) as User-Id, which is read from the payload frame.  Trust may
//   change while it runs: trust_changed() ends the sessions of keys that are gone.  One's own
//   key is admitted, so that the mesh can tell of a second node that has it.
// - A start-up self-test dials the own listener with a key made for it, and refuses to start
//   unless that is refused.
// - Plain links only on loopback and ipc, or with `insecure`: proven_id is empty then.
// - A dialled name is looked up anew each time, without waiting.  Where the listener's key is not
//   known the trusted keys are tried, one after the other.
// - Frames are checked for size and decoded here (wire::LinkDecoder); bytes that are no
//   frame are answered with ERROR, the session ends, on_session_down() tells.  So does a first
//   frame that is no HELLO, or a HELLO whose node id is not the proven one.
// - Nothing is queued but what the mesh gave: it keeps within the peer's window.  What a pipe
//   does not take at once waits here, in order; PING, PONG, CREDIT, STATE and PEERS go before
//   waiting data.
// - Who was refused is logged once with the reason, and counted.
//
// Threads: open() by one, before the loop starts; the rest on the loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/mesh/values.h"
#include "core/node/key_file.h"
#include "core/node/loop.h"
#include "core/node/trust_store.h"

namespace marram {

class MeshTransport : public LoopPart {
 public:
  struct Options {
    std::vector<std::string> listen;
    CurveKey key;  // empty: plain links
    bool insecure = false;
    Limits limits;
    const TrustList* trust = nullptr;
    Duration handshake_max = std::chrono::seconds(10);  // of a dial; of a session until HELLO
    std::size_t sessions_max = 4096;
    std::size_t unknown_sessions_max = 64;     // connections that have sent no frame yet
    std::size_t waiting_bytes_max = 32 << 20;  // of one session; more: it does not read
    Log* log = nullptr;
  };
  // What the loop does with it; never called from within the functions below, but from
  // run(), where it may call them.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void on_session_up(const mesh::SessionInfo& session) = 0;
    virtual void on_frame(mesh::SessionId session, wire::LinkFrame frame) = 0;
    virtual void on_session_down(mesh::SessionId session, const Error& why) = 0;
    // `refused` was counted and logged; what was only not reached was not.
    virtual void on_dial_failed(const std::string& address, bool refused, const Error& why) = 0;
  };

  // `handler`, and what the options point to, outlive it.
  //
  // Errors: Config  a listen beyond loopback without keys; Invalid, Busy, Io  an address;
  //         Refused  a stranger was let in by the self-test
  static Result<std::unique_ptr<MeshTransport>> open(Options options, Handler& handler);

  // After open() with port 0 the real ones.
  virtual const std::vector<std::string>& endpoints() const = 0;

  virtual void dial(const mesh::Dial& dial) = 0;
  virtual void send(const mesh::SendFrame& send) = 0;
  virtual void send(const mesh::SendData& send) = 0;
  virtual void hang_up(const mesh::HangUp& hang_up) = 0;
  // Ends the sessions of keys that `trust` no longer admits.
  virtual void trust_changed() = 0;

  // Who was refused, by reason: untrusted, no_key, handshake, silent, malformed, too_large,
  // no_hello, wrong_id, too_many, unread, revoked, refused_there, unproved, plain, address.
  virtual const std::map<std::string, std::uint64_t>& refused() const = 0;
};

}  // namespace marram
