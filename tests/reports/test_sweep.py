"""The chart of a sweep without known quality: what is written beside it fits on it."""

import pytest

from reports.style import style
from reports.sweep import sweep_chart


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_names_of_the_first_and_the_last_setting_lie_on_the_picture_and_apart(count: int) -> None:
    import matplotlib.pyplot as plt

    settings = [
        {"name": f"simple_chat.length.below={n}00, code.length.at_most={n}", "usd": str(n)} for n in range(count)
    ]
    with style():
        ax = sweep_chart({"quality_known": 0, "rules": "rules.yaml", "settings": settings})
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.canvas.draw()
        names = [text.get_window_extent() for text in ax.texts if "simple_chat" in text.get_text()]
        assert len(names) == min(count, 2)
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 for box in names)
        plt.close(figure)
