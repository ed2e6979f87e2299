"""How fast something goes, and how long the rest of it will take; counting and time alone.

What is counted, and where it is shown, is in `progress.py`.
"""

from __future__ import annotations

# What went on this long ago counts half as much as what goes on now: a machine that gets other work
# changes the estimate soon, a slow moment hardly.
HALF_LIFE = 120.0
# Speed in less time than this says little.
LEAST_SECONDS = 1.0


class Pace:
    """Speed as a mean over time, recent times counting more."""

    def __init__(self, half_life: float = HALF_LIFE) -> None:
        """Knows nothing yet; `half_life` is in seconds."""
        self._half_life = half_life
        self._amount = self._seconds = 0.0

    def add(self, amount: float, seconds: float) -> None:
        """Counts what was done in the last `seconds`; at one moment with something else: 0."""
        kept = 0.5 ** (max(seconds, 0.0) / self._half_life)
        self._amount = self._amount * kept + amount
        self._seconds = self._seconds * kept + max(seconds, 0.0)

    @property
    def rate(self) -> float | None:
        """Amount in a second; None while too little was measured."""
        known = self._amount > 0.0 and self._seconds >= LEAST_SECONDS
        return self._amount / self._seconds if known else None

    def left(self, amount: float) -> float | None:
        """Seconds that an amount takes, at least 0; None while too little was measured."""
        return max(amount, 0.0) / self.rate if self.rate else None


class CountPace:
    """Pace of a count that is reported now and then."""

    def __init__(self) -> None:
        """Starts at none, without a report."""
        self.done = 0
        self._pace = Pace()
        self._reported_at: float | None = None

    def reach(self, done: int, now: float) -> None:
        """Takes a report.

        Args:
            done: How many there are by now.
            now: Seconds of a clock. Speed counts from the first report on: what came before it,
                imports and tracing, does not come again.
        """
        if self._reported_at is not None:
            self._pace.add(done - self.done, now - self._reported_at)
        self.done, self._reported_at = done, now

    @property
    def rate(self) -> float | None:
        """How many in a second; None while too little was measured."""
        return self._pace.rate

    def left(self, total: int) -> float | None:
        """Seconds until there are `total`; None where it cannot be told, or there is no rest."""
        return self._pace.left(total - self.done) if total > self.done else None


class TrainingPace:
    """Pace of a training of many epochs, of steps and of what is between them.

    An epoch is its steps and then validation and a checkpoint. The first step of all waits until
    the step is traced, and the first validation too: both are left out once there are others.
    """

    def __init__(self) -> None:
        """Starts before the first step."""
        self._steps = Pace()
        self._epoch_seconds = Pace(10 * HALF_LIFE)
        self._first_epoch_seconds: float | None = None
        self._epoch = self._epochs = self._step = self._steps_each = 0
        self._step_at: float | None = None
        self._epoch_began: float | None = None

    def step(self, epoch: int, epochs: int, step: int, steps: int, now: float) -> None:
        """Takes a report: step `step` of `steps` is done, in epoch `epoch` of `epochs`, from 1."""
        if self._step_at is not None and epoch == self._epoch and step > self._step:
            self._steps.add(step - self._step, now - self._step_at)
        if self._epoch_began is None:
            self._epoch_began = now  # the first: only what comes after its first report counts
        self._epoch, self._epochs = epoch, epochs
        self._step, self._steps_each = step, steps
        self._step_at = now

    def end_epoch(self, epoch: int, epochs: int, now: float) -> None:
        """Takes the report that an epoch is over, validation and checkpoint included."""
        if self._epoch_began is not None:
            seconds = now - self._epoch_began
            if self._first_epoch_seconds is None:
                self._first_epoch_seconds = seconds
            else:
                self._epoch_seconds.add(1.0, seconds)
        self._epoch_began = now
        self._epoch, self._epochs, self._step = epoch + 1, epochs, 0
        self._step_at = None

    @property
    def steps_per_second(self) -> float | None:
        """Of training alone; None while too little was measured."""
        return self._steps.rate

    @property
    def knows_epochs(self) -> bool:
        """Whether an epoch was measured to its end; `left` is a lower bound before."""
        return self._first_epoch_seconds is not None

    def left(self, now: float) -> float | None:
        """Seconds until the last epoch is over, at least 0; None while it cannot be told."""
        if self._epoch > self._epochs:
            return 0.0
        each = self._epoch_estimate()
        if each is None:
            return None
        steps = self._steps.left(self._steps_each) or 0.0
        rest = (self._steps.left(self._steps_each - self._step) or 0.0) + max(each - steps, 0.0)
        since = self._step_at if self._step_at is not None else self._epoch_began
        waited = max(now - since, 0.0) if since is not None else 0.0
        return max(rest - waited, 0.0) + max(self._epochs - self._epoch, 0) * each

    def _epoch_estimate(self) -> float | None:
        if rate := self._epoch_seconds.rate:
            return 1.0 / rate
        steps = self._steps.left(self._steps_each)
        if self._first_epoch_seconds is None:
            return steps
        return max(self._first_epoch_seconds, steps or 0.0)


def in_words(seconds: float) -> str:
    """Writes a duration as a person would say it: `15 s`, `4 min`, `1 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
