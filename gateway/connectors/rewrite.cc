#include "gateway/connectors/rewrite.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "core/event/topic.h"

namespace marram {
namespace {

constexpr std::string_view kTopic = "{topic}";
constexpr std::string_view kRest = "{rest}";
constexpr std::string_view kNode = "{node}";

std::vector<std::string_view> levels_of(std::string_view text) {
  std::vector<std::string_view> levels;
  for (;;) {
    const std::size_t slash = text.find('/');
    levels.push_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return levels;
    text.remove_prefix(slash + 1);
  }
}

std::string_view template_of(const RouteOptions& route) {
  return route.topic.empty() ? kTopic : std::string_view(route.topic);
}

std::string with_node(std::string_view level, std::string_view node) {
  std::string out(level);
  for (std::size_t at = out.find(kNode); at != std::string::npos;
       at = out.find(kNode, at + node.size())) {
    out.replace(at, kNode.size(), node);
  }
  return out;
}

// The template filled in; an absent `rest` takes its level with it.
std::string fill(std::string_view text, std::string_view node, std::string_view topic,
                 std::optional<std::string_view> rest) {
  std::string out;
  bool first = true;
  for (const std::string_view level : levels_of(text)) {
    if (level == kRest && !rest) continue;
    if (!first) out += '/';
    first = false;
    if (level == kTopic) {
      out += topic;
    } else if (level == kRest) {
      out += *rest;
    } else {
      out += with_node(level, node);
    }
  }
  return out;
}

Status check_level(std::string_view level) {
  if (level == kTopic || level == kRest) return {};
  const std::string plain = with_node(level, "");
  if (plain.find(kTopic) != std::string::npos || plain.find(kRest) != std::string::npos) {
    return fail(Errc::Invalid,
                fmt::format("topic: in '{}' {{topic}} and {{rest}} must be a level of their own "
                            "(between '/')",
                            level));
  }
  if (plain.find_first_of("{}") != std::string::npos) {
    return fail(Errc::Invalid,
                fmt::format("topic: '{}' has an unknown placeholder (there are {{node}}, {{topic}} "
                            "and {{rest}})",
                            level));
  }
  return {};
}

bool circles(const RouteOptions& out, const RouteOptions& in) {
  for (const std::string& from : out.from) {
    for (const std::string& back : in.from) {
      if (!overlaps(rewritten_filter(out, from), back)) continue;
      for (const std::string& again : out.from) {
        if (overlaps(rewritten_filter(in, back), again)) return true;
      }
    }
  }
  return false;
}

bool same_broker(const RouteOptions& a, const RouteOptions& b) {
  const auto left = parse_route_target(a.to);
  const auto right = parse_route_target(b.to);
  return left && right && left->host == right->host && left->port == right->port;
}

}  // namespace

Status check_template(const RouteOptions& route, const Limits& limits) {
  const std::string_view text = template_of(route);
  bool uses_rest = false;
  for (const std::string_view level : levels_of(text)) {
    if (const auto ok = check_level(level); !ok) return ok;
    uses_rest = uses_rest || level == kRest;
  }
  if (const auto ok = check_topic(fill(text, "n", "t", "r"), limits); !ok) {
    return fail(ok.error().code, "topic: " + ok.error().message);
  }
  if (!uses_rest) return {};
  for (const std::string& filter : route.from) {
    if (!filter.ends_with('#')) {
      return fail(Errc::Invalid,
                  fmt::format("topic: {{rest}} is what '#' stands for, and '{}' in `from` has none",
                              filter));
    }
  }
  return {};
}

std::optional<std::string_view> rest_of(std::string_view filter, std::string_view topic) {
  if (!filter.ends_with('#')) return {};
  for (std::size_t levels = levels_of(filter).size() - 1; levels > 0; --levels) {
    const std::size_t slash = topic.find('/');
    if (slash == std::string_view::npos) return {};
    topic.remove_prefix(slash + 1);
  }
  return topic;
}

std::string rewritten_filter(const RouteOptions& route, std::string_view filter) {
  // {node} may stand for any name; behind the first '#' nothing is known any more.
  std::string shape;
  for (const std::string_view level : levels_of(template_of(route))) {
    if (!shape.empty()) shape += '/';
    if (level == kTopic) {
      shape += filter;
    } else if (level == kRest) {
      shape += '#';
    } else {
      shape += level.find(kNode) == std::string_view::npos ? level : std::string_view("+");
    }
    if (shape.ends_with('#')) break;
  }
  return shape;
}

Status check_routes(std::span<const RouteOptions> routes) {
  std::set<std::string_view> names;
  for (const RouteOptions& route : routes) {
    if (!names.insert(route.name).second) {
      return fail(Errc::Exists, fmt::format("name: two routes are called '{}'", route.name));
    }
  }
  for (const RouteOptions& out : routes) {
    for (const RouteOptions& in : routes) {
      if (out.direction != RouteDirection::Out || in.direction != RouteDirection::In) continue;
      if (out.protocol == MqttVersion::V5 && in.protocol == MqttVersion::V5) continue;
      if (!same_broker(out, in) || !circles(out, in)) continue;
      return fail(Errc::Invalid,
                  fmt::format("routes '{}' and '{}' would send the same event round for ever: MQTT "
                              "3.1.1 cannot mark it (use protocol 5 for both, or topics apart)",
                              out.name, in.name));
    }
  }
  return {};
}

Result<std::string> rewrite_topic(const RouteOptions& route, std::string_view node_name,
                                  std::string_view topic, const Limits& limits) {
  for (const std::string& filter : route.from) {
    if (!matches(filter, topic)) continue;
    std::string out = fill(template_of(route), node_name, topic, rest_of(filter, topic));
    if (const auto ok = check_topic(out, limits); !ok) return tl::unexpected(ok.error());
    return out;
  }
  return fail(Errc::Invalid,
              fmt::format("route {}: no filter in `from` matches '{}'", route.name, topic));
}

}  // namespace marram
