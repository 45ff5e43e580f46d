// Answers ZeroMQ's question whether the key of a connection may come in (ZAP, RFC 27).
//
// Fails closed: what is not a CURVE request about a trusted key is refused.  Who comes in has
// its node id as User-Id on every message.
//
// Threads: one at a time; made before any socket of the context binds.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <zmq.hpp>

#include "core/base/result.h"
#include "core/node/trust_store.h"

namespace marram {

class Zap {
 public:
  // Is told of every refusal: the key, and the address it came from.
  using OnRefused = std::function<void(const std::string& key, const std::string& address)>;

  // `own_key` is admitted, so that a second node with it is recognized.  Errors: Io
  static Result<std::unique_ptr<Zap>> open(zmq::context_t& context, const TrustList* trust,
                                           std::string own_key, OnRefused on_refused);

  // Answers what has been asked, up to a bounded number.  True when there may be more.
  bool run();
  void* handle() { return socket_.handle(); }

  bool admits(const std::string& key) const;
  // The key behind a node id that was let in; empty: none.
  std::string key_of(const std::string& node_id) const;

 private:
  Zap(zmq::context_t& context, const TrustList* trust, std::string own_key, OnRefused on_refused);
  bool answer_one();

  zmq::socket_t socket_;
  const TrustList* trust_;
  std::string own_key_;
  OnRefused on_refused_;
  std::map<std::string, std::string> keys_;  // by node id, of those let in
};

}  // namespace marram
