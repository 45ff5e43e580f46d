#include "gateway/connectors/rewrite.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "core/event/topic.h"

namespace marram {
namespace {

TEST_SUITE_BEGIN("connectors/rewrite");

RouteOptions route_of(std::vector<std::string> from, std::string topic) {
  RouteOptions route;
  route.name = "r";
  route.from = std::move(from);
  route.topic = std::move(topic);
  return route;
}

std::string rewritten(const RouteOptions& route, const std::string& topic) {
  const auto out = rewrite_topic(route, "gw-3", topic, Limits{});
  return out ? *out : "refused: " + out.error().message;
}

TEST_CASE("a template names the node, the topic and what '#' stands for") {
  CHECK(rewritten(route_of({"plant/#"}, ""), "plant/1/t") == "plant/1/t");
  CHECK(rewritten(route_of({"plant/#"}, "acme/{node}/{topic}"), "plant/1") == "acme/gw-3/plant/1");
  CHECK(rewritten(route_of({"plant/#"}, "x-{node}-y/{rest}"), "plant/1/t") == "x-gw-3-y/1/t");
  CHECK(rewritten(route_of({"a/+/c/#"}, "cmd/{rest}"), "a/b/c/d//e") == "cmd/d//e");
  CHECK(rewritten(route_of({"#"}, "all/{rest}"), "a/b") == "all/a/b");
  CHECK(rewritten(route_of({"a/b"}, "one/topic"), "a/b") == "one/topic");
}

TEST_CASE("the first filter that matches tells what the rest is") {
  const RouteOptions route = route_of({"a/b/#", "a/#"}, "{rest}");

  CHECK(rewritten(route, "a/b/c") == "c");
  CHECK(rewritten(route, "a/x/c") == "x/c");
}

TEST_CASE("where '#' stands for nothing the level and its slash vanish") {
  const RouteOptions route = route_of({"a/#"}, "cmd/{rest}/end");

  CHECK(rewritten(route, "a") == "cmd/end");
  CHECK(rewritten(route, "a/") == "cmd//end");
  CHECK(rewritten(route_of({"a/#"}, "{rest}/x"), "a") == "x");
}

TEST_CASE("what is no topic, or matches no filter, is refused") {
  CHECK(rewritten(route_of({"a/#"}, "{rest}"), "a").starts_with("refused"));
  CHECK(rewritten(route_of({"a/#"}, "b/{rest}"), "c/d").starts_with("refused"));
  const std::string long_topic = "a/" + std::string(1022, 'x');
  CHECK(rewritten(route_of({"a/#"}, "longer/{topic}"), long_topic).starts_with("refused"));
}

TEST_CASE("a node's name is never read as a template") {
  const auto out = rewrite_topic(route_of({"a/#"}, "x/{node}/{topic}"), "{topic}", "a/b", Limits{});

  CHECK(*out == "x/{topic}/a/b");
}

TEST_CASE("a template is checked before any event comes") {
  const auto good = [](const std::string& topic, const std::string& from = "a/#") {
    return check_template(route_of({from}, topic), Limits{}).has_value();
  };

  CHECK(good(""));
  CHECK(good("{topic}"));
  CHECK(good("x/{rest}/y/{node}"));
  CHECK_FALSE(good("x/{host}"));
  CHECK_FALSE(good("x{topic}"));
  CHECK_FALSE(good("x/{rest}y"));
  CHECK_FALSE(good("x/{node"));
  CHECK_FALSE(good("x/+/{topic}"));
  CHECK_FALSE(good("x/#"));
  CHECK_FALSE(good("x/{rest}", "a/b"));
}

TEST_CASE("different topics stay different") {
  const auto level = rc::gen::element<std::string>("", "a", "b", "{rest}");
  const auto levels = rc::gen::resize(5, rc::gen::container<std::vector<std::string>>(level));
  const auto joined = [](const std::vector<std::string>& parts) {
    std::string out = "p";
    for (const std::string& part : parts) out += "/" + part;
    return out;
  };

  const bool holds = rc::check([&] {
    const std::string one = joined(*levels);
    const std::string two = joined(*levels);
    const std::string text = *rc::gen::element<std::string>("{topic}", "x/{node}/{topic}/y",
                                                            "x/{rest}", "x/{rest}/{node}");
    const RouteOptions route = route_of({"p/#"}, text);
    RC_ASSERT((one == two) == (rewritten(route, one) == rewritten(route, two)));
  });

  CHECK(holds);
}

TEST_CASE("a rewritten filter covers what the rewritten topics are") {
  const auto filter = rc::gen::element<std::string>("p/#", "p/+/#", "p/a/#");
  const auto text = rc::gen::element<std::string>("", "x/{topic}", "{node}/{rest}", "x/{rest}/y");

  const bool holds = rc::check([&] {
    const RouteOptions route = route_of({*filter}, *text);
    const std::string topic = *rc::gen::element<std::string>("p/a", "p/a/b", "p/a/b/c");
    const auto out = rewrite_topic(route, "gw", topic, Limits{});
    if (!out) RC_DISCARD("no match");
    RC_ASSERT(matches(rewritten_filter(route, route.from[0]), *out));
  });

  CHECK(holds);
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram
