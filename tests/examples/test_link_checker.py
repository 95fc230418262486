"""What the link checker finds, against fixtures and against a second, independent count."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PAGE = """\
# Hello, World! `code` & more

A [b](c.md "t"), ![i](<a b.png>), <http://x.example/z?a=1&b=2>, [r][1], [a [b] c](d(1).md#x).
Here `a
b [not](no.md)` and [z](#hello-world-code--more).

    [not](code.md)

```
[not](fence.md)
```

| a | b |
|---|---|
| [t](u.md) | <a href="q.md#id1">x</a> |

> - [deep](deep.md)
>   [deep2](deep2.md)

<p><img src="im.png">
<a id="anch" href="mailto:x@example.org">m</a></p>

[![badge](http://b.example/x.svg)](http://b.example)
\\[esc](esc.md) [empty]() [m](mailto:a@example.org) [rel](//host.example/x)

Über uns
--------

## Dup
## Dup
### Dup-1

[1]: /foo
"""

LINKS = [
    (3, "/foo"),
    (3, "a%20b.png"),
    (3, "c.md"),
    (3, "d(1).md#x"),
    (3, "http://x.example/z?a=1&b=2"),
    (5, "#hello-world-code--more"),
    (15, "q.md#id1"),
    (15, "u.md"),
    (17, "deep.md"),
    (18, "deep2.md"),
    (20, "im.png"),
    (23, "http://b.example"),
    (23, "http://b.example/x.svg"),
]


@pytest.fixture(scope="module")
def checker():
    """The example, imported as the program does."""
    spec = importlib.util.spec_from_file_location(
        "link_checker", ROOT / "examples" / "link_checker.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["link_checker"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["link_checker"]


def test_links_with_their_lines(checker):
    assert sorted(checker.find_links(PAGE)) == LINKS


def test_anchors_as_github_makes_them(checker, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert checker.anchors(page, 0) == {
        "hello-world-code--more",
        "anch",
        "über-uns",
        "dup",
        "dup-1",
        "dup-1-1",
    }


@pytest.mark.parametrize(
    ("target", "broken"),
    [
        ("b.md", None),
        ("./b.md#one", None),
        ("b.md#two", "no such heading"),
        ("#here", None),
        ("#there", "no such heading"),
        ("c.md", "no such file"),
        ("../docs/a.md", None),
        ("/docs/b.md", None),
        ("/b.md", "no such file"),
        ("with%20blank.txt", None),
        ("with%20blank.txt#L3", None),
        ("..", None),
        ("b.md?plain=1#one", None),
    ],
)
def test_links_on_disk(checker, tmp_path, target, broken):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Here\n")
    (docs / "b.md").write_text("# One\n")
    (docs / "with blank.txt").write_text("")
    if broken is None:
        checker.check_disk(tmp_path, Path("docs/a.md"), target)
    else:
        with pytest.raises(checker.LinkBroken, match=broken):
            checker.check_disk(tmp_path, Path("docs/a.md"), target)


def test_count_of_this_repository_agrees_with_a_simpler_one(checker):
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    assert len(pages) > 3
    for page in pages:
        text = page.read_text("utf-8")
        found = checker.find_links(text)
        assert len(found) == independent_count(text), page
        lines = text.splitlines()
        assert all(target in lines[line - 1] for line, target in found)


def independent_count(text):
    """Count links by regular expressions, which suffices for how these pages are written."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"`[^`]*`", "", text)
    inline = re.findall(r"\]\((?!mailto:)[^)\s]+\)", text)
    references = re.findall(r"\]\[[^\]]+\]", text)
    auto = re.findall(r"<https?://[^>]+>", text)
    return len(inline) + len(references) + len(auto)


def test_default_is_this_repository(checker):
    root, files = checker.markdown_files(None)
    assert root == ROOT
    assert "README.md" in files
    assert "docs/lifecycle.md" in files


def test_hidden_and_foreign_folders_are_left_out(checker, tmp_path):
    for name in ("a.md", "sub/b.md", ".git/c.md", "node_modules/d.md"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    assert checker.markdown_files(tmp_path) == (tmp_path.resolve(), ["a.md", "sub/b.md"])
    assert checker.markdown_files(tmp_path / "a.md") == (tmp_path.resolve(), ["a.md"])


def test_folder_without_markdown(checker, tmp_path):
    with pytest.raises(ValueError, match="no Markdown file"):
        checker.markdown_files(tmp_path)
