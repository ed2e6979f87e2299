"""What the log lines of the running component say of how far it is.

The lines are written by `trainer_module.progress_log` and `trainer_module.callbacks`. Which
component runs, and what a person sees of it, is in `progress.py`.
"""

from __future__ import annotations

import re

from pipeline.pace import CountPace, TrainingPace, in_words

_STEP = re.compile(r"^Progress: epoch (\d+)/(\d+) step (\d+)/(\d+) of (\d+) images\.$")
_IMAGES = re.compile(r"^Progress: (\d+) more images\.$")
_COUNT = re.compile(r"^Progress: (.+) (\d+)/(\d+)\.$")
_DOING = re.compile(r"^Progress: (.+)\.$")
_EPOCH = re.compile(r"^Epoch (\d+)/(\d+)  (.*)$")


class FollowedWork:
    """How far one component is."""

    def __init__(self, images: int | None = None) -> None:
        """Begins; `images` is how many it works on, None where that is not known."""
        self._total = images
        self._images = CountPace()
        self._things: tuple[str, int, CountPace] | None = None
        self._training = TrainingPace()
        self._batch = 0
        self._said = ""
        self._shown = self._said_alone

    def read(self, message: str, now: float) -> bool:
        """Takes a log line.

        Args:
            message: Any line that the component logs.
            now: Seconds of a clock.

        Returns:
            Whether it says how far the work is.
        """
        if match := _STEP.match(message):
            epoch, epochs, step, steps, self._batch = map(int, match.groups())
            self._training.step(epoch, epochs, step, steps, now)
            part = f"step {step}/{steps}" if step < steps else "validation"
            self._said, self._shown = f"epoch {epoch}/{epochs}  {part}", self._trained
        elif match := _IMAGES.match(message):
            self._images.reach(self._images.done + int(match[1]), now)
            self._shown = self._counted_images
        elif match := _COUNT.match(message):
            things, done, total = match[1], int(match[2]), int(match[3])
            if self._things is None or self._things[0] != things or done < self._things[2].done:
                self._things = (things, total, CountPace())
            self._things[2].reach(done, now)
            self._shown = self._counted
        elif match := _DOING.match(message):
            self._said, self._shown = match[1], self._said_alone
        else:
            return False
        return True

    def read_epoch(self, message: str, now: float) -> tuple[str, str, float | None] | None:
        """Takes the line of a finished epoch.

        Returns:
            `NUMBER/EPOCHS`, the `name value` pairs, and seconds that the rest of the training will
            take, None where that cannot be told; or None if the line is another one.
        """
        match = _EPOCH.match(message)
        if match is None:
            return None
        epoch, epochs = int(match[1]), int(match[2])
        self._training.end_epoch(epoch, epochs, now)
        left = self._training.left(now) if epoch < epochs else None
        return f"{epoch}/{epochs}", match[3], left

    def words(self, now: float) -> str:
        """Says how far it is: what is done, how fast, and how long the rest will take."""
        return self._shown(now)

    def _said_alone(self, now: float) -> str:
        return self._said

    def _trained(self, now: float) -> str:
        words = self._said
        if rate := self._training.steps_per_second:
            words += f"  {_rate(rate * self._batch)} images/s"
        left = self._training.left(now)
        if left is None:
            return words
        bound = "" if self._training.knows_epochs else "at least "
        return f"{words}  {bound}{in_words(left)} left"

    def _counted_images(self, now: float) -> str:
        return _count(self._images, "images", self._total, before="")

    def _counted(self, now: float) -> str:
        assert self._things is not None
        things, total, pace = self._things
        return _count(pace, "", total, before=f"{things} ")


def _count(pace: CountPace, things: str, total: int | None, before: str) -> str:
    done = str(pace.done) if total is None else f"{pace.done}/{total}"
    words = f"{before}{done} {things}".rstrip()
    if pace.rate is not None:
        words += f"  {_rate(pace.rate)}{' ' + things if things else ''}/s"
    if total is not None and (left := pace.left(total)) is not None:
        words += f"  {in_words(left)} left"
    return words


def _rate(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 9.95 else f"{rate:.1f}"
