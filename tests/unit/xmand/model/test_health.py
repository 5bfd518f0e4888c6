"""How a host is, as far as no hypervisor is needed."""

from pathlib import Path

from xmand.model import health


def test_errors_of_memory_are_added_up(tmp_path: Path) -> None:
    for number, corrected in enumerate((2, 3)):
        controller = tmp_path / f"mc{number}"
        controller.mkdir()
        (controller / "ce_count").write_text(f"{corrected}\n")
        (controller / "ue_count").write_text("unreadable" if number else "1\n")

    assert health.memory_errors(tmp_path) == {"memory_errors": {"corrected": 5, "uncorrected": 1}}
