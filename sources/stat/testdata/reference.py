"""Reference values for the tests of sources/stat.

Writes reference.json beside itself. Run once by hand, in a virtual environment
with scipy 1.17.1, numpy 2.4.6 and pymannkendall 1.4.3:

    python reference.py
"""

import json
import math
import os

import numpy as np
import pymannkendall
from scipy import special, stats

LEVEL = 0.95
rng = np.random.default_rng(20261124)


def rounded(xs, digits=4):
    return [float(round(x, digits)) for x in xs]


samples = {
    "normal 12": rounded(rng.normal(100, 15, 12)),
    "normal 40": rounded(rng.normal(108, 25, 40)),
    "log-normal 30": rounded(rng.lognormal(-1, 1, 30)),
    "log-normal 200": rounded(rng.lognormal(-0.6, 1.2, 200)),
    "ties 25": [float(x) for x in rng.integers(0, 6, 25)],
    "ties 18": [float(x) for x in rng.integers(1, 8, 18)],
    "rising 30": rounded(np.arange(30) * 0.3 + rng.normal(0, 2, 30)),
    "falling steps 20": [float(x) for x in 10 - np.arange(20) // 3 + rng.integers(0, 3, 20)],
    "three": [1.0, 2.0, 4.0],
    "two": [3.0, 5.0],
    "large offset": rounded(1e9 + rng.normal(0, 1, 15), 3),
}


def interval(value, lo, hi):
    return {"value": float(value), "lo": float(lo), "hi": float(hi)}


def mean(xs):
    m, se = np.mean(xs), stats.sem(xs)
    lo, hi = stats.t.interval(LEVEL, len(xs) - 1, m, se)
    return interval(m, lo, hi)


def quantiles(xs):
    out = {}
    for q in (0.5, 0.9, 0.95, 0.99):
        # At least; a bound that the samples do not reach is nan.
        ci = stats.quantile_test(xs, q=0, p=q).confidence_interval(LEVEL)
        value = float(np.quantile(xs, q, method="inverted_cdf"))
        out[str(q)] = [value] + [None if math.isnan(v) else float(v) for v in (ci.low, ci.high)]
    return out


def line(ys):
    x = np.arange(len(ys)) * 0.5
    fit = stats.linregress(x, ys)
    t = stats.t.ppf((1 + LEVEL) / 2, len(ys) - 2)
    return {
        "slope": interval(fit.slope, fit.slope - t * fit.stderr, fit.slope + t * fit.stderr),
        "intercept": float(fit.intercept), "r2": float(fit.rvalue**2),
        "t": float(fit.slope / fit.stderr), "p": float(fit.pvalue),
    }


def theil_sen(ys):
    r = stats.theilslopes(ys, np.arange(len(ys)) * 0.5, alpha=LEVEL)
    return interval(r.slope, r.low_slope, r.high_slope)


def mann_kendall(ys):
    r = pymannkendall.original_test(ys)
    return {"z": float(r.z), "p": float(r.p)}


def difference(a, b):
    w = stats.ttest_ind(a, b, equal_var=False)
    ci = w.confidence_interval(LEVEL)
    u = stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=True)
    return {
        "t": float(w.statistic), "df": float(w.df), "p": float(w.pvalue),
        "mean": interval(np.mean(a) - np.mean(b), ci.low, ci.high),
        "u": float(u.statistic), "u_p": float(u.pvalue),
    }


pairs = [("normal 12", "normal 40"), ("log-normal 30", "log-normal 200"), ("ties 25", "ties 18"),
         ("rising 30", "falling steps 20"), ("three", "two"), ("normal 12", "log-normal 30")]
beta = [(x, a, b) for a, b in [(0.5, 0.5), (0.5, 5), (3, 0.5), (2, 3), (40, 0.5), (0.5, 500), (5000, 0.5), (700, 900), (1e5, 0.5)]
        for x in (1e-8, 0.01, 0.3, 0.4375, 0.5, 0.9, 0.99, 0.99999)]
student = [(t, df) for df in (1, 2, 3.7, 10, 29, 120, 1000, 1e6) for t in (-40, -8, -2.5, -0.1, 0, 0.001, 1, 1.96, 5, 12)]

reference = {
    "level": LEVEL,
    "samples": samples,
    "mean": {k: mean(v) for k, v in samples.items()},
    "quantiles": {k: quantiles(v) for k, v in samples.items() if len(v) > 2},
    "line": {k: line(v) for k, v in samples.items() if len(v) > 2},
    "theil_sen": {k: theil_sen(v) for k, v in samples.items() if len(v) > 2},
    "mann_kendall": {k: mann_kendall(v) for k, v in samples.items() if len(v) > 2},
    "difference": [{"a": a, "b": b, **difference(samples[a], samples[b])} for a, b in pairs],
    "proportion": [{"k": k, "n": n, **interval(k / n, *stats.binomtest(k, n).proportion_ci(LEVEL, method="wilson"))}
                   for k, n in [(0, 1), (1, 1), (0, 20), (20, 20), (7, 20), (1, 1000), (583, 1000), (12402, 12500)]],
    "beta": [[x, a, b, float(special.betainc(a, b, x))] for x, a, b in beta],
    "student_cdf": [[t, df, float(stats.t.cdf(t, df))] for t, df in student],
    "student_quantile": [[p, df, float(stats.t.ppf(p, df))] for df in (1, 2, 3.7, 10, 120, 1e6)
                         for p in (0.0005, 0.025, 0.3, 0.5, 0.9, 0.975, 0.995, 0.99999)],
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.json"), "w") as f:
    json.dump(reference, f, indent=1)
    f.write("\n")
