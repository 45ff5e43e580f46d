#include "core/event/filter_trie.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <set>
#include <string>

#include "tests/event/naive_match.h"

using namespace marram;

namespace {

using Values = std::vector<FilterTrie::Value>;

Values matching(const FilterTrie& trie, std::string_view topic) {
  Values out = {99};
  trie.match(topic, out);
  return out;
}

}  // namespace

TEST_SUITE_BEGIN("event/filter_trie");

TEST_CASE("an empty trie matches nothing") {
  FilterTrie trie;

  CHECK(matching(trie, "a").empty());
  CHECK(!trie.erase("a", 1));
  CHECK(trie.size() == 0);
}

TEST_CASE("the values of all matching filters come back, ascending, each once") {
  FilterTrie trie;
  trie.insert("a/b", 5);
  trie.insert("a/+", 3);
  trie.insert("a/#", 4);
  trie.insert("#", 1);
  trie.insert("+/b", 3);
  trie.insert("a/b/#", 2);
  trie.insert("b/#", 7);
  trie.insert("$x/#", 8);

  CHECK(trie.size() == 8);
  CHECK(matching(trie, "a/b") == Values{1, 2, 3, 4, 5});
  CHECK(matching(trie, "a") == Values{1, 4});
  CHECK(matching(trie, "a/b/c") == Values{1, 2, 4});
  CHECK(matching(trie, "c") == Values{1});
  CHECK(matching(trie, "$x/y") == Values{8});
  CHECK(matching(trie, "$y").empty());
}

TEST_CASE("a pair is kept once, however often it is inserted") {
  FilterTrie trie;
  trie.insert("a/+", 1);
  trie.insert("a/+", 1);
  trie.insert("a/+", 2);

  CHECK(trie.size() == 2);
  CHECK(trie.erase("a/+", 1));
  CHECK(!trie.erase("a/+", 1));
  CHECK(matching(trie, "a/b") == Values{2});
}

TEST_CASE("erasing what is not there changes nothing") {
  FilterTrie trie;
  trie.insert("a/b/c", 1);

  CHECK(!trie.erase("a/b", 1));
  CHECK(!trie.erase("a/b/c", 2));
  CHECK(!trie.erase("a/b/c/d", 1));
  CHECK(!trie.erase("a/b/#", 1));
  CHECK(!trie.erase("a/b/+", 1));
  CHECK(!trie.erase("#", 1));
  CHECK(matching(trie, "a/b/c") == Values{1});
}

TEST_CASE("a shorter filter survives the end of a longer one, and the other way round") {
  FilterTrie trie;
  trie.insert("a/b", 1);
  trie.insert("a/b/+/d", 2);
  trie.insert("a/b/#", 3);

  CHECK(trie.erase("a/b/+/d", 2));
  CHECK(matching(trie, "a/b") == Values{1, 3});
  CHECK(trie.erase("a/b", 1));
  CHECK(matching(trie, "a/b") == Values{3});
  CHECK(trie.erase("a/b/#", 3));
  CHECK(matching(trie, "a/b").empty());
  CHECK(trie.size() == 0);
}

TEST_CASE("empty levels are levels") {
  FilterTrie trie;
  trie.insert("/", 1);
  trie.insert("a/", 2);
  trie.insert("a", 3);
  trie.insert("+/+", 4);

  CHECK(matching(trie, "/") == Values{1, 4});
  CHECK(matching(trie, "a/") == Values{2, 4});
  CHECK(matching(trie, "a") == Values{3});
}

TEST_CASE("a moved trie takes its filters along") {
  FilterTrie trie;
  trie.insert("a", 1);

  FilterTrie other = std::move(trie);
  CHECK(matching(other, "a") == Values{1});
  trie = FilterTrie();
  CHECK(trie.size() == 0);
  CHECK(matching(trie, "a").empty());
}

TEST_CASE("after any inserts and erases the trie agrees with matching one by one") {
  const bool holds = rc::check([] {
    FilterTrie trie;
    std::set<std::pair<std::string, FilterTrie::Value>> kept;
    const int steps = *rc::gen::inRange(0, 60);
    for (int i = 0; i < steps; ++i) {
      const auto filter = *tests::any_filter();
      const auto value = *rc::gen::inRange<FilterTrie::Value>(0, 8);
      if (*rc::gen::inRange(0, 3) > 0) {
        trie.insert(filter, value);
        kept.emplace(filter, value);
      } else {
        RC_ASSERT(trie.erase(filter, value) == (kept.erase({filter, value}) == 1));
      }
    }
    RC_ASSERT(trie.size() == kept.size());

    for (int i = 0; i < 10; ++i) {
      const auto topic = *tests::any_topic();
      std::set<FilterTrie::Value> expected;
      for (const auto& [filter, value] : kept) {
        if (tests::naive_match(filter, topic)) expected.insert(value);
      }
      RC_ASSERT(matching(trie, topic) == Values(expected.begin(), expected.end()));
    }

    for (const auto& [filter, value] : kept) RC_ASSERT(trie.erase(filter, value));
    RC_ASSERT(trie.size() == 0U);
    RC_ASSERT(trie.nodes() == 1U);
  });
  CHECK(holds);
}

TEST_CASE("filters that come and go leave nothing behind") {
  FilterTrie trie;
  trie.insert("a/#", 1);
  const std::size_t before = trie.nodes();
  std::vector<std::string> filters;
  for (int i = 0; i < 2000; ++i) {
    filters.push_back("site/" + std::to_string(i) + "/+/temp");
    filters.push_back("site/" + std::to_string(i) + "/#");
    filters.push_back("+/+/" + std::to_string(i) + "/+");
  }

  for (const auto& filter : filters) trie.insert(filter, 1);
  CHECK(trie.nodes() > before + 6000);
  for (const auto& filter : filters) CHECK(trie.erase(filter, 1));

  CHECK(trie.nodes() == before);
  CHECK(trie.size() == 1);
}
