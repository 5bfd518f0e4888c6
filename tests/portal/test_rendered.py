"""Parts of pages that are kept (`rxmweb.web.rendered`): bounded by their letters, whatever hosts say."""

from rxmweb.web.rendered import Rendered


def test_what_was_made_is_not_made_again_and_the_oldest_goes() -> None:
    kept, made = Rendered(10), []

    def make(letters: str) -> str:
        made.append(letters)
        return letters

    for word in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert kept.get((word,), lambda word=word: make(word)) == word  # type: ignore[misc]

    assert made == ["aaaa", "bbbb", "cccc", "bbbb"]


def test_one_that_is_too_long_is_not_kept_and_the_count_stays_true() -> None:
    kept = Rendered(10)

    for _ in range(3):
        assert len(kept.get(("long",), lambda: "x" * 11)) == 11
    kept.get(("short",), lambda: "y" * 5)

    assert kept._letters == 5
    assert list(kept._parts) == [("short",)]
