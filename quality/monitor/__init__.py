"""Live calls against the forecast of a replay: spend, mix, failures, prices."""

from quality.monitor.forecast import Forecast
from quality.monitor.report import report_of
from quality.monitor.watch import Limits, Watch

__all__ = ["Forecast", "Limits", "Watch", "report_of"]
