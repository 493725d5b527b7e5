"""What is done once in every house folder, whoever leads the house: its answers are sealed, its routes and gauges written, what was
begun to be forgotten here is finished, and what learners said here is sent to MLflow. Of the workers of one folder one does so, by a lock
that goes with its process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from everloop.clock import monotonic, wall
from everloop.errors import HouseBusy
from everloop.lake.alone import alone
from everloop.loop.answers import seal_answers
from everloop.loop.control.chores import Chores, Routes, finish_forgetting
from everloop.loop.control.gauges import Gauges
from everloop.loop.house import House
from everloop.loop.serve.routes import workers
from everloop.serving.segment import segments


@dataclass
class Keeping:
    """The chores of one house folder. ``over`` says that this process ends."""

    house: House
    told: Callable[[str], None]
    over: threading.Event
    held: ExitStack = field(default_factory=ExitStack)
    mine: bool = False

    @property
    def ends(self) -> bool:
        return self.over.is_set() or self.house.ended() is not None

    def look(self) -> None:
        """Try to be the one who keeps this folder."""
        if not self.mine:
            try:
                self.held.enter_context(alone(self.house.settings.house / "controller.lock", "keeping this folder", patience=0))
            except HouseBusy:
                return
            self.mine = True

    def keep(self) -> None:
        """Do what is due here until this process ends."""
        house, chores = self.house, Chores(self.house, self.told)
        routes, gauges = Routes(house), Gauges(house)
        with self.held:
            while not self.ends:
                chores.do("see who keeps this folder", 1.0, self.look)
                if self.mine:
                    chores.do("write the routes", 1.0, routes.look)
                    chores.do("seal answers", 5.0, lambda: seal_answers(house))
                    chores.do("write gauges", 5.0, lambda: gauges.look(wall()))
                self.over.wait(0.2)

    def seal_the_rest(self, patience: float) -> bool:
        """Seal what is answered here to the last, until nobody answers any more, for at most so many seconds; whether all of it is sealed.
        What is not stays in this folder."""
        left = Chores(self.house, self.told)
        until = monotonic() + patience
        while workers(self.house.settings.house) or any(segments(self.house.settings.answers)):
            if monotonic() >= until:
                self.told(f"Not everything that was answered here is sealed; it lies in {self.house.settings.answers}.")
                return False
            left.do("seal answers", 0.2, lambda: seal_answers(self.house))
            time.sleep(0.05)
        return True

    def finish(self) -> None:
        """Go on with forgetting somebody where whoever began it here died, and send to MLflow what learners said here where another machine
        leads; it may take long, and holds up nothing else."""
        chores = Chores(self.house, self.told)
        while not self.ends:
            if self.mine:
                chores.do("finish forgetting", 20.0, lambda: finish_forgetting(self.house))
                if self.house.settings.mlflow is not None:
                    chores.do("tell MLflow what was said here", 20.0, self._say_late)
            self.over.wait(1.0)

    def _say_late(self) -> None:
        from everloop.loop.mirror import say_late

        say_late(self.house)
