"""Files, functions, parameter lists and lines stay small."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import functions
import pytest
import tree

FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
COLUMNS_MAX = 100
BUILD_LINES_MAX = 600
BUILD_FILES = r"(.+/)?CMakeLists\.txt|CMakePresets\.json|pyproject\.toml|.+\.cmake|\.ci/run"

# First match decides.
FILE_LINES_MAX = {
    r"README\.md": 200,
    r"ARCHITECTURE\.md": 250,
    r"CONTRIBUTING\.md": 60,
    r"tests/.+\.(h|cc|py)": 600,
    r".+\.h": 300,
    r".+\.cc|dev": 500,
    r".+\.pyi?|bench/run": 600,
}


def lines_max(path: PurePosixPath) -> int | None:
    for pattern, most in FILE_LINES_MAX.items():
        if re.fullmatch(pattern, str(path)):
            return most
    return None


def line_count(path: PurePosixPath) -> int:
    return tree.text(path).count("\n")


def test_no_file_is_longer_than_its_kind_may_be() -> None:
    wrong = []
    for path in tree.files():
        most = lines_max(path)
        if most is not None and line_count(path) > most:
            wrong.append(f"{path}: {line_count(path)} lines, at most {most}")

    assert not wrong, "\n".join(wrong)


def test_all_build_files_together_are_short() -> None:
    lines = {str(path): line_count(path) for path in tree.matching(BUILD_FILES)}

    assert sum(lines.values()) <= BUILD_LINES_MAX, lines


def test_no_line_has_more_than_100_columns() -> None:
    wrong = []
    for path in tree.matching(r".+\.(h|cc|py|pyi|toml)", r"dev|bench/run|(.+/)?CMakeLists\.txt"):
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if len(line) > COLUMNS_MAX:
                wrong.append(f"{path}:{number}: {len(line)} columns")

    assert not wrong, "\n".join(wrong)


def test_no_function_is_longer_than_70_lines_or_takes_more_than_5_parameters() -> None:
    wrong = []
    for path in tree.matching(tree.EVERY_CPP):
        for found in functions.in_source(tree.code(path)):
            if found.lines > FUNCTION_LINES_MAX:
                wrong.append(f"{path}:{found.line}: {found.name} has {found.lines} lines")
            if found.parameters > PARAMETERS_MAX:
                wrong.append(f"{path}:{found.line}: {found.name} has {found.parameters} parameters")

    assert not wrong, "\n".join(wrong)


SAMPLE = """\
namespace marram {
class Thing : public Base {
 public:
  explicit Thing(int a, std::map<int, int> b = {}) : a_(a), b_{std::move(b)} {}
  virtual void declared(int a, int b, int c) = 0;
  std::function<void(int, int)> member_;
  int value_ = compute(1, 2, 3, 4, 5, 6);
};
template <class T, class U>
Result<std::vector<T>> Thing::defined(const T& first, std::function<void(int, int)> second,
                                      std::array<T, 3> third) const {
  const auto inner = [&](int a, int b, int c, int d, int e, int f) {
    if (a) { return b; }
    return c;
  };
  return inner(1, 2, 3, 4, 5, 6);
}
enum class Kind { One, Two };
}  // namespace marram
TEST_CASE("a sentence, with commas, and (parentheses)") {
  CHECK(true);
}
"""


def test_functions_are_found_with_their_lines_and_parameters() -> None:
    everything = functions.in_source(tree.blank(SAMPLE))
    found = {one.name: (one.lines, one.parameters) for one in everything}

    assert found["Thing"] == (1, 2)
    assert found["declared"] == (1, 3)
    assert found["Thing::defined"] == (9, 3)
    assert found["TEST_CASE"][0] == 3
    assert "compute" not in found
    assert not {"member_", "void", "Kind", "if"} & found.keys()


@pytest.mark.parametrize(
    ("path", "most"),
    [("core/a/b.h", 300), ("core/a/b.cc", 500), ("tests/a/b.h", 600), ("x.png", None)],
)
def test_each_kind_of_file_has_its_limit(path: str, most: int | None) -> None:
    assert lines_max(PurePosixPath(path)) == most
