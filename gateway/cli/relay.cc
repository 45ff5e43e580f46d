#include "gateway/cli/relay.h"

#include <fmt/format.h>

#include <utility>

#include <boost/asio.hpp>

#include <array>
#include <list>
#include <thread>

namespace marram::cli {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Two sockets and the bytes between them; both end when one does.
class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  explicit Pipe(tcp::socket near) : near_(std::move(near)), far_(near_.get_executor()) {}

  void start(const tcp::endpoint& target) {
    far_.async_connect(target, [self = shared_from_this()](const error_code& error) {
      if (error) return self->close();
      self->carry(self->near_, self->far_, self->there_);
      self->carry(self->far_, self->near_, self->back_);
    });
  }

  void close() {
    error_code ignored;
    ignored = near_.close(ignored);
    ignored = far_.close(ignored);
  }

 private:
  using Buffer = std::array<char, 16 << 10>;

  void carry(tcp::socket& from, tcp::socket& to, Buffer& buffer) {
    from.async_read_some(asio::buffer(buffer),
                         [&, self = shared_from_this()](const error_code& error, auto size) {
                           if (error) return self->close();
                           asio::async_write(to, asio::buffer(buffer, size),
                                             [&, self](const error_code& failed, std::size_t) {
                                               if (failed) return self->close();
                                               self->carry(from, to, buffer);
                                             });
                         });
  }

  tcp::socket near_;
  tcp::socket far_;
  Buffer there_{};
  Buffer back_{};
};

class TcpRelay : public Relay {
 public:
  ~TcpRelay() override {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Status start(const std::string& host, std::uint16_t port) {
    error_code error;
    const auto found = tcp::resolver(context_).resolve(host, std::to_string(port), error);
    if (error || found.empty()) {
      return fail(Errc::Io, fmt::format("relay: cannot resolve {}: {}", host, error.message()));
    }
    target_ = found.begin()->endpoint();
    const tcp::endpoint loopback(asio::ip::address_v4::loopback(), 0);
    error = acceptor_.open(loopback.protocol(), error);
    if (!error) error = acceptor_.bind(loopback, error);
    if (!error) error = acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) return fail(Errc::Io, fmt::format("relay: cannot listen: {}", error.message()));
    accept();
    thread_ = std::thread([this] { context_.run(); });
    return {};
  }

  std::uint16_t port() const override { return port_; }

  void cut() override {
    asio::post(context_, [this] {
      cut_ = true;
      for (const auto& pipe : pipes_) {
        if (const auto alive = pipe.lock()) alive->close();
      }
      pipes_.clear();
    });
  }

  void heal() override {
    asio::post(context_, [this] { cut_ = false; });
  }

 private:
  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (!error && !cut_) {
        const auto pipe = std::make_shared<Pipe>(std::move(socket));
        pipes_.remove_if([](const auto& old) { return old.expired(); });
        pipes_.push_back(pipe);
        pipe->start(target_);
      }
      accept();
    });
  }

  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  tcp::endpoint target_;
  std::uint16_t port_ = 0;
  std::list<std::weak_ptr<Pipe>> pipes_;
  bool cut_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Relay>> Relay::open(const std::string& host, std::uint16_t port) {
  auto relay = std::make_unique<TcpRelay>();
  if (auto status = relay->start(host, port); !status) return tl::unexpected(status.error());
  return relay;
}

}  // namespace marram::cli
