#!/usr/bin/env python3
"""Fits the step time model of steptime.go to the rows of mode "static".

Static rows are one batch without a scheduler: ttft is the prefill of
batch x isl tokens in one step, tpot the mean of the decode steps that follow.
The rows of mode "agg" stay out: they judge the result (fit_test.go).

    python3 fit.py            needs numpy and scipy

Prints the parameters in seconds and the relative errors.
"""
import csv
import os

import numpy as np
from scipy.optimize import least_squares

NAMES = ["StepOverhead", "WeightTime", "DecodePerSeq", "DecodePerKVToken",
         "PrefillPerToken", "PrefillPerTokenContext", "CommPerStep", "CommPerToken"]
START = [1e-3, 15e-3, 20e-6, 55e-9, 90e-6, 2e-9, 1e-3, 5e-6]

here = os.path.dirname(os.path.abspath(__file__))
rows = [r for r in csv.DictReader(open(os.path.join(here, "aiconfigurator_qwen3_32b_h200_sglang.csv")))
        if r["mode"] == "static"]
tp, b, isl, osl = (np.array([float(r[k]) for r in rows]) for k in ("tp", "batch", "isl", "osl"))
ttft, tpot = (np.array([float(r[k]) / 1e3 for r in rows]) for k in ("ttft_ms", "tpot_ms"))


def model(p):
    over, weights, seq, kv, tok, att, comm, commtok = p

    def step(compute, attend, tokens):
        return over + (compute + attend) / tp + comm * np.log2(tp) + commtok * (tp - 1) / tp * tokens

    prefill = step(np.maximum(weights, tok * b * isl), att * b * isl * isl / 2, b * isl)
    decode = step(weights + seq * b, kv * b * (isl + osl / 2), b)
    return prefill, decode


def residuals(logp):
    prefill, decode = model(np.exp(logp))
    return np.concatenate([prefill / ttft - 1, decode / tpot - 1])


fit = least_squares(residuals, np.log(START), loss="soft_l1", f_scale=0.05)
p = np.exp(fit.x)
for name, v in zip(NAMES, p):
    print(f"{name:24s}{v:.3e}")
prefill, decode = model(p)
for name, got, want in (("ttft", prefill, ttft), ("tpot", decode, tpot)):
    e = np.abs(got / want - 1)
    print(f"{name}: median {np.median(e):.3f}  90% {np.quantile(e, .9):.3f}  worst {e.max():.3f}")
    for t in (1, 2, 4, 8):
        print(f"  TP {t}: median {np.median(e[tp == t]):.3f}  worst {e[tp == t].max():.3f}")
