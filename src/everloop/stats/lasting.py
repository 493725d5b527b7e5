"""How much less a series of periods proves where one period goes on in the next. Arrays in, numbers out; no clock, no disk.

A week of good weather is no seven proofs. The mean of n periods of which each keeps a share φ of the one before varies
(1 + φ) / (1 - φ) times as much as that of n periods that know nothing of one another (an autoregression of order one; Andrews 1991,
"Heteroskedasticity and autocorrelation consistent covariance matrix estimation", section 6, plugs it in likewise).
"""

from __future__ import annotations

import numpy as np

from everloop.stats.shapes import Floats

MOST = 0.9  # beyond it a holdout is one long wave, of which nothing can be said


def kept(series: Floats) -> float:
    """The share φ of a period (n,) that is there in the next, 0 to 0.9: the first autocorrelation, less what it lacks on average because
    the mean is not known, (1 + 4 φ) / n (Marriott and Pope 1954), and half its standard error more, for it is a guess, and too small a one
    lets in what is no better. Below zero nothing is taken back: the interval must not shrink by chance.

    >>> rng = np.random.default_rng(1)
    >>> waves = np.convolve(rng.normal(0, 1, 2000), 0.6 ** np.arange(30))[:2000]
    >>> bool(0.54 < kept(waves) < 0.66), bool(kept(rng.normal(0, 1, 2000)) < 0.06), kept(np.array([1.0, -1.0] * 9))
    (True, True, 0.0)
    """
    n = len(series)
    apart = series - series.mean() if n else series
    spread = float(apart @ apart)
    if n < 6 or not np.isfinite(spread) or spread <= 0:
        return 0.0
    first = float(apart[1:] @ apart[:-1]) / spread
    share = (n * first + 1) / (n - 4)
    return float(np.clip(share + 0.5 * np.sqrt(max(1 - share**2, 0.0) / n), 0.0, MOST))


def worth(series: Floats) -> float:
    """How many periods that know nothing of one another these (n,) are worth: n (1 - φ) / (1 + φ), at least 3.

    >>> rng = np.random.default_rng(1)
    >>> round(worth(np.convolve(rng.normal(0, 1, 2000), 0.6 ** np.arange(30))[:2000]) / 100)
    5
    """
    share = kept(series)
    return max(len(series) * (1 - share) / (1 + share), min(3.0, float(len(series))))
