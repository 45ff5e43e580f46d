// A node: one object inside a program, or the heart of the daemon.
//
// It owns a store, one loop thread that decides everything about delivery, and,
// when `listen` is set, an endpoint for clients (core/client) over ZeroMQ.
//
//     auto node = marram::Node::open({.data_dir = "data"});
//     (*node)->publish({.topic = "plant/1/temp", .payload = "21.5"});
//
// Durability: as the stream of the topic promises; publish() returns after the commit.
//
// Threads: all functions may be called from any thread; destroy it from one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/event/bus.h"
#include "core/event/stream.h"
#include "core/node/mesh_options.h"

namespace marram {

struct NodeOptions {
  std::string name;  // empty: the host's name
  std::filesystem::path data_dir = "marram-data";
  std::vector<StreamOptions> streams;
  Durability durability = Durability::Fsync;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  double reserve_free_share = 0.05;
  Limits limits;
  // ZeroMQ endpoints for clients: "ipc://PATH" or "tcp://127.0.0.1:PORT" (port 0:
  // any).  Addresses beyond loopback are refused.
  std::vector<std::string> listen;
  MeshNodeOptions mesh;
  Log* log = nullptr;  // null: none; outlives the node
};

class Node : public Bus {
 public:
  // Errors: Busy, Version, Io  from the store
  //         Invalid  an option; Refused  an endpoint beyond loopback
  //         Config   keys, trust or an address of the mesh
  static Result<std::unique_ptr<Node>> open(NodeOptions options);

  virtual const std::string& name() const = 0;
  virtual const std::string& id() const = 0;
  // The endpoints as bound, ports filled in.
  virtual std::vector<std::string> endpoints() const = 0;

  // Those of the mesh, likewise.
  virtual std::vector<std::string> mesh_endpoints() const = 0;

  // Replaces the keys of mesh.trust; those of the folder stay.  Sessions of who is trusted no
  // longer end.
  // Errors: Config  a key is none, nothing changed; Unsupported  a node without a mesh
  virtual Status set_trusted_keys(std::vector<std::string> keys) = 0;

  // Asks the loop and the store's writer, in turn; a watchdog is fed by the answer.
  //
  // Errors: TimedOut  one of them has not answered within `patience`
  //         Io, Full, Corrupt  the store accepts nothing at the moment; it goes on
  //                            trying to open its database by itself
  //         Closed, Forked
  virtual Status health(Duration patience) = 0;

  // A part of the process (listener, routes) that adds to status_json() under `key`.
  // `report` returns JSON text, is called on any thread, and outlives the node.
  class Reporter {
   public:
    virtual ~Reporter() = default;
    virtual std::string report_json() = 0;
  };
  virtual void add_reporter(std::string key, Reporter& reporter) = 0;
  virtual void remove_reporter(std::string_view key) = 0;
};

}  // namespace marram
