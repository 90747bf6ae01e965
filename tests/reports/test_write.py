from pathlib import Path

import pytest
from matplotlib.image import imread

from problems import BackrouteError
from reports import write_charts, write_report
from reports.figures import CHARTS
from tests.reports.samples import good, loss


def test_a_report_is_a_page_and_every_chart_that_has_something_to_draw_twice(tmp_path: Path) -> None:
    written = write_report(good(), tmp_path / "out")
    assert written[0] == tmp_path / "out" / "report.html"
    names = {f"charts/{name}.{kind}" for name in CHARTS if "quality" not in name for kind in ("png", "svg")}
    assert {path.relative_to(tmp_path / "out").as_posix() for path in written} == {"report.html", *names}
    assert all(path.stat().st_size > 1_000 for path in written)


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_report(loss(), tmp_path)]
    assert [path.read_bytes() for path in write_report(loss(), tmp_path)] == first


def test_images_are_twice_as_dense_as_a_screen(tmp_path: Path) -> None:
    """8 inches x 192 dots = 1,536 pixels."""
    (spend, *_) = write_charts(good(), tmp_path)
    assert imread(spend).shape[1] == 1536


def test_a_folder_that_is_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("taken")
    with pytest.raises(BackrouteError, match=r"out: cannot be written \(File exists\).*Choose another"):
        write_report(good(), tmp_path / "out")


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(BackrouteError, match=r"report\.html: cannot be written \(Is a directory\)"):
        write_report(good(), tmp_path)
