"""One source model's answers in, the other model's expected answers out, with two kinds of spread."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from simulator.counterfactual.group import Group, observe
from simulator.counterfactual.kernel import NEW, Floats, Ints, Points, covariance, new_task_covariance
from simulator.counterfactual.kinds import Kind, candidates
from simulator.counterfactual.names import Known, Level
from simulator.counterfactual.parameters import Live, Parameters, Support, Within

ENOUGH_TASKS = 5  # independent tasks behind a figure; with fewer the interval widens
LEVELS = np.arange(1.0, 9.01, 0.2)  # log tokens, the grid on which a new task's level is integrated out
UNKNOWN_WITHIN = Within(1.0, 0.35)
DIGITS = 10  # of a level and its variance, log tokens
CERTAIN = 0.5  # a task's share of runaways is never put above this
# Student's t over the normal, both at 95%, by degrees of freedom.
T_OVER_NORMAL = {2: 1.7752251826598988, 3: 1.4307433781591157, 4: 1.296070818336436, 5: 1.2250624252005087}


@dataclass(frozen=True)
class Prediction:
    """What the target would have answered.

    Args:
        expected: mean tokens per request, the output cap included, over what is unsure of the whole group as well.
        request_sd: sd of one request's tokens around `expected`, independent between requests.
        group_log_sd: sd of the log of the whole group's factor, whose mean is one: multiply every request by
            exp(group_log_sd x z - group_log_sd^2 / 2).
        source_note: what the figures rest on.
        level: "pair", "family" or "prior".
    """

    expected: Floats
    request_sd: Floats
    group_log_sd: float
    source_note: str
    level: Level


@dataclass(frozen=True)
class TaskModel:
    """One pair on one task, fitted to a sample of the source's answers; predicts any answer of that task, row by row.

    Args:
        group: what the sample showed.
        mean: log of the mean tokens of the target's answers that do not run away.
        log_sd: sd of the log of the task's common factor, whose mean is one.
        slope, prompt_slope: of the target's log length on the source's and on the prompt's, inside the task.
        offset: log; makes the sample's mean prediction the task's.
        residual: sd of a log length around its expectation.
        propensity: share of the target's answers that run into the cap.
        runaway_cap: tokens, where a request states no cap of its own.
        live: whether paired live answers set the line.
        note: what the figures rest on.
        level: "pair", "family" or "prior".
    """

    group: Group
    mean: float
    log_sd: float
    slope: float
    prompt_slope: float
    offset: float
    residual: float
    propensity: float
    runaway_cap: float
    live: bool
    note: str
    level: Level

    def rows(self, output_tokens: Floats, input_tokens: Floats, cap: Floats) -> tuple[Floats, Floats]:
        """Expected tokens and one request's sd; arrays as `predict_output`'s, `cap` NaN where there is none."""
        long_cap = self.long_cap(cap)
        regular = np.exp(self.mean + self.offset) * self.shape(output_tokens, input_tokens, cap)
        # The live line was measured on totals, runaways and all, so they are not added again.
        share = 0.0 if self.live else self.propensity
        expected = _mixture(regular, self.residual, cap, share, long_cap)
        second = np.exp(self.residual**2) * (1 - self.propensity) * regular**2 + self.propensity * long_cap**2
        sd = np.sqrt(np.maximum(second - expected**2, 0.0))
        # No answer leaves [0, cap], so its sd cannot exceed what that range allows.
        limited = np.isfinite(cap)
        if limited.any():
            bound = np.sqrt(np.maximum(expected * (np.nan_to_num(cap) - expected), 0.0))
            sd = np.where(limited, np.minimum(sd, bound), sd)
        return expected, sd

    def shape(self, output_tokens: Floats, input_tokens: Floats, cap: Floats) -> Floats:
        """Relative expected lengths within the task."""
        log_tokens, log_prompt = self.group.read(output_tokens, input_tokens, cap)
        result: Floats = np.exp(self.slope * log_tokens + self.prompt_slope * log_prompt)
        return result

    def long_cap(self, cap: Floats) -> Floats:
        """Tokens at which a runaway answer ends."""
        result: Floats = np.where(np.isfinite(cap), np.minimum(cap, self.runaway_cap), self.runaway_cap)
        return result


def fit_task(
    params: Parameters, source: str, target: str, task: int, output_tokens: Floats, input_tokens: Floats, cap: Floats
) -> TaskModel:
    """Fit a pair to a sample, not empty, of what `source` answered on one task; arrays as `predict_output`'s."""
    live = params.live.get(live_key(source, target))
    return pair_of(params, source, target).fit(output_tokens, input_tokens, cap, task, live)


def predict_output(
    params: Parameters,
    source: str,
    target: str,
    tasks: Ints | None,
    output_tokens: Floats,
    input_tokens: Floats,
    cap: Floats | None,
) -> Prediction:
    """Predict the visible output tokens of `target` on requests that `source` answered.

    Args:
        source, target: canonical names; answers to all of a pair's requests belong in one call, since the group's own
            level is what places its task among the public ones.
        tasks: codes into `TASKS`, -1 where unlabelled; None for no labels.
        output_tokens: what `source` answered, tokens.
        input_tokens: of the prompt, NaN where unknown.
        cap: `max_output_tokens` per request, NaN where there was none; None for none at all.

    Raises:
        ValueError: the arrays differ in length.
    """
    live = params.live.get(live_key(source, target))
    n = len(output_tokens)
    cap = np.full(n, np.nan) if cap is None else np.asarray(cap, float)
    if not n == len(input_tokens) == len(cap) == (n if tasks is None else len(tasks)):
        raise ValueError(f"arrays of one length are needed, not {n}, {len(input_tokens)}, {len(cap)} and tasks")
    pair = pair_of(params, source, target)
    output, inputs = np.asarray(output_tokens, float), np.asarray(input_tokens, float)
    labels = np.full(n, -1) if tasks is None else np.asarray(tasks)
    expected, sd = np.zeros(n), np.zeros(n)
    log_sd = 0.0
    for label in np.unique(labels):
        rows = labels == label
        fitted = pair.fit(output[rows], inputs[rows], cap[rows], int(label), live)
        expected[rows], sd[rows] = fitted.rows(output[rows], inputs[rows], cap[rows])
        # Tasks share the pair's error, so their errors add up rather than cancel.
        log_sd += fitted.log_sd * float(expected[rows].sum())
    total = float(expected.sum())
    return Prediction(expected, sd, log_sd / total if total else 0.0, pair.note(live), pair.level)


def pair_of(params: Parameters, source: str, target: str) -> Pair:
    """What is known of a pair, by canonical names; worked out once for some parameters."""
    if (source, target) not in params.pairs:
        pair = Pair(params, params.known(source), params.known(target), params.support(source, target))
        params.pairs[source, target] = pair
    return params.pairs[source, target]  # type: ignore[no-any-return]


def live_key(source: str, target: str) -> str:
    """The key of `Parameters.live`."""
    return f"{source} -> {target}"


@dataclass(frozen=True)
class Unseen:
    """A pair's models on a task of one kind before any answer is seen, at each of LEVELS; log tokens.

    Args:
        source, target: their expected levels.
        v_source, v_target, covaries: variances, and covariance, around them.
    """

    source: Floats
    target: Floats
    v_source: Floats
    v_target: Floats
    covaries: Floats


@dataclass(frozen=True)
class Pair:
    """One (source, target) pair as the parameters know it; `slope` is what calibration starts from."""

    params: Parameters
    source: Known
    target: Known
    support: Support
    _unseen: dict[int, Unseen] = field(default_factory=dict, repr=False, compare=False)  # by the kind's code

    @property
    def level(self) -> Level:
        """The weaker of the two models' levels."""
        levels: tuple[Level, ...] = ("prior", "family", "pair")
        return min(self.source.level, self.target.level, key=levels.index)

    def note(self, live: Live | None) -> str:
        """What the figures rest on, in words."""
        refitted = f"; refitted to {live.pairs:,} paired live answers" if live else ""
        stands = {
            side.level: f"{side.name} by {side.model or side.family or 'the general prior'}"
            for side in (self.source, self.target)
            if side.level != "pair"
        }
        if self.level != "pair":
            return f"{self.level}: " + ", ".join(stands.values()) + f"; fitted {self.params.fitted_on}{refitted}"
        s = self.support
        return (
            f"pair: {self.source.model} and {self.target.model}, {len(s.tasks)} tasks ({s.independent} independent), "
            f"{s.rows:,} shared answers; {', '.join(s.sources) or 'no shared task'}; fitted {s.fitted_on}{refitted}"
        )

    @property
    def same(self) -> bool:
        """Whether both names stand for one measured, or one unmeasured, model."""
        a, b = self.source, self.target
        return a.model == b.model if a.model and b.model else a.name == b.name

    def fit(self, output: Floats, inputs: Floats, cap: Floats, label: int, live: Live | None) -> TaskModel:
        """Fit one task to a sample of its requests; arrays as `predict_output`'s."""
        group = observe(output, inputs, cap)
        mean, variance = self._target_level(group, label)
        propensity, p_sd = self._runaway(group)
        slope, residual = self._within_task(group)
        fitted = TaskModel(
            group=group,
            mean=mean if live is None else live.intercept,
            log_sd=self._log_sd(variance) if live is None else live.log_sd,
            slope=slope if live is None else live.slope,
            prompt_slope=self.params.prompt_slope,
            offset=0.0,
            residual=residual,
            propensity=propensity,
            runaway_cap=self.params.runaway.cap,
            live=live is not None,
            note=self.note(live),
            level=self.level,
        )
        if live is None:
            fitted = replace(fitted, offset=-float(np.log(fitted.shape(output, inputs, cap).mean())))
            expected, _ = fitted.rows(output, inputs, cap)
            runaway = p_sd * float(fitted.long_cap(cap).mean() / expected.mean())
            fitted = replace(fitted, log_sd=float(np.hypot(fitted.log_sd * (1 - propensity), runaway)))
        # The mean of what the level may be lies above its middle; runaways are counted by their mean already.
        return replace(fitted, mean=fitted.mean + (variance if live is None else live.log_sd**2) / 2)

    def _target_level(self, group: Group, label: int) -> tuple[float, float]:
        """Posterior mean and variance of the target's level on this task, log tokens, over the kinds it may be."""
        kinds = candidates(self.params.kinds, group.prompt, label)
        found = [self._within_kind(group, kind) for kind, _ in kinds]
        log_weight = np.array([chance + evidence for (_, chance), (evidence, _, _) in zip(kinds, found, strict=True)])
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        at, left = (np.array([f[i] for f in found]) for i in (1, 2))
        centre = float(weight @ at)
        # Linear algebra differs in its last digits by the number of its threads, and so from process to process.
        return round(centre, DIGITS), round(float(weight @ (left + (at - centre) ** 2)), DIGITS)

    def _within_kind(self, group: Group, kind: Kind) -> tuple[float, float, float]:
        """Log evidence of the source's level, and posterior mean and variance of the target's, on a task of a kind."""
        if kind.code not in self._unseen:
            self._unseen[kind.code] = self._expected(kind.code)
        held = self._unseen[kind.code]
        v_source, gap = held.v_source + group.level_variance, group.level - held.source
        log_weight = -0.5 * (gap**2 / v_source + np.log(v_source)) + kind.level_log_density(LEVELS)
        weight = np.exp(log_weight - log_weight.max())
        evidence = float(log_weight.max() + np.log(weight.sum()))
        weight /= weight.sum()
        at = held.target + held.covaries / v_source * gap
        centre = float(weight @ at)
        left = np.maximum(held.v_target - held.covaries**2 / v_source, 0.0)
        return evidence, centre, float(weight @ (left + (at - centre) ** 2))

    def _expected(self, kind: int) -> Unseen:
        """What the public tasks say of both models on a new task of a kind, by its code."""
        params, scales = self.params, self.params.scales
        n = len(LEVELS)
        models = [self._code(self.source), self._code(self.target)]
        families = [self._family(self.source), self._family(self.target)]
        points = Points(
            np.repeat(models, n),
            np.repeat(families, n),
            np.full(2 * n, NEW),
            np.full(2 * n, kind),
            np.tile(LEVELS, 2),
        )
        # Cells of other models and families share nothing with the pair.
        near = np.flatnonzero(np.isin(params.points.model, models) | np.isin(params.points.family, families))
        cross = covariance(scales, points, params.points.take(near), params.span)
        solved = cross @ params.inverse[np.ix_(near, near)]
        mean = np.tile(LEVELS, 2) + cross @ params.weights[near]
        variance, shared = new_task_covariance(scales, LEVELS, self.same, families[0] == families[1], params.span)
        known = (cross * solved).sum(axis=1)
        v_source, v_target = (np.maximum(variance - each, scales.model_task**2) for each in (known[:n], known[n:]))
        return Unseen(mean[:n], mean[n:], v_source, v_target, shared - (cross[:n] * solved[n:]).sum(axis=1))

    def _code(self, side: Known) -> int:
        if side.model:
            return self.params.models.index(side.model)
        return -1 if side is self.source or self.same else -2

    def _family(self, side: Known) -> int:
        if side.family:
            return self.params.families.index(side.family)
        if side.model:
            return len(self.params.families) + self.params.models.index(side.model)
        return -1 if side is self.source or self.same else -2

    @property
    def slope(self) -> float:
        """Of the target's log length on the source's, inside a task."""
        a, b = self._within()
        return b.spread / a.spread / (1 + a.noise)

    def _within(self) -> tuple[Within, Within]:
        a, b = (self.params.within.get(side.model or "", UNKNOWN_WITHIN) for side in (self.source, self.target))
        return (b, b) if self.same else (a, b)

    def _within_task(self, group: Group) -> tuple[float, float]:
        """The slope of the target's log length on the source's, and the sd of a log length around it.

        The lengths of all models share one factor per prompt: the slope is the ratio of the two models' loadings times
        the reliability of the source's length as a reading of that factor.
        """
        a, b = self._within()
        ratio, reliability = b.spread / a.spread, 1 / (1 + a.noise)
        signal = (ratio * group.spread) ** 2 * reliability
        return self.slope, float(np.sqrt(max(signal * (1 + b.noise) - (self.slope * group.spread) ** 2, 0.0)))

    def _runaway(self, group: Group) -> tuple[float, float]:
        """Expected share of the target's answers that run into the cap, and its sd: a Gamma-Poisson posterior mean.

        The share is the target's propensity times the task's intensity, read from the source's answers as far as its
        own propensity is known; the relative variances of the three add up.
        """
        r = self.params.runaway
        (a, a_variance), (b, b_variance) = (r.propensity(side.model) for side in (self.source, self.target))
        prior = r.rate * np.exp(r.level_slope * (group.level - r.at_level))
        exposed = group.answers * a
        share = b * (r.shape + group.runaway) / (r.shape / prior + exposed)
        weight = exposed / (r.shape / prior + exposed)
        shared = 0.0 if self.same else weight**2 * a_variance + b_variance
        relative = float(np.sqrt(1 / (r.shape + group.runaway) + shared))
        return min(share, CERTAIN), min(share, CERTAIN) * relative

    def _log_sd(self, variance: float) -> float:
        """The sd of the task's common factor, its part between tasks widened by Student's t over the normal at 90%.

        A variance between tasks that was read from k independent ones is itself uncertain. All models share it, and it
        is taken to be worth two tasks beside the pair's own: k + 1 degrees. The rest of the variance, most of it that
        between models where one was never measured, is read from all models and not widened.
        """
        k = self.support.independent
        if k >= ENOUGH_TASKS or (self.same and self.source.model):
            return float(np.sqrt(variance))
        widening = T_OVER_NORMAL[max(k, 1) + 1]
        family = self._family(self.source) == self._family(self.target)
        between = min(variance, self.params.scales.between_tasks(self.same, family))
        return float(np.sqrt(variance + (widening**2 - 1) * between))


def _mixture(mean: Floats, sd: float, cap: Floats, share: float, long_cap: Floats) -> Floats:
    """Mean tokens of a lognormal answer of mean `mean` cut at `cap`, mixed with `share` of answers at the cap."""
    limited, kept = np.isfinite(cap), mean
    if limited.any():
        from scipy.special import ndtr  # 0.2 s to load, which logs without output caps need not take

        cut = np.where(limited, cap, np.inf)
        spread = max(sd, 1e-6)
        with np.errstate(divide="ignore"):
            over = (np.log(cut) - np.log(np.maximum(mean, 1e-9)) + spread**2 / 2) / spread
        kept = mean * ndtr(over - spread) + np.where(limited, cut, 0.0) * ndtr(-over)
    result: Floats = (1 - share) * kept + share * long_cap
    return result
