"""Recordings of real deployments: the metrics pages the tests read, and the demo replay.

Pages are stored as they came. A manifest per shape says how they were made and what the client saw, so that a test can
compare what a query says with what was really served.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import deploy
import load
import venvs

HERE = os.path.dirname(os.path.abspath(__file__))
LOAD = {"requests": 200, "concurrency": 24, "isl": 256, "osl": 80}
NOTE = {
    "before": "no request was ever sent", "during": "load in flight", "during-2": "2 s after `during`, same load",
    "after": "the load is over and nothing is in flight",
    "killed-before": "load in flight, just before worker 1 gets SIGKILL", "killed-early": "3 s after the SIGKILL",
    "killed": "12 s after the SIGKILL", "stopped-before": "load in flight, just before worker 1 gets SIGSTOP",
    "stopped": "4 s after the SIGSTOP, worker 1 still frozen",
}


class Shape:
    """One deployment being recorded into a folder."""

    def __init__(self, out, release, shape, log, base=None, **up):
        self.dir, self.log, self.release = os.path.join(out, release, shape), log, release
        self.up = dict(shape=base or shape, name=f"record-{release}-{shape}", **up)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.manifest = {"release": release, "shape": shape, "deployment": [], "phases": {}}

    def __enter__(self):
        return self

    def deployment(self, **more):
        self.state = deploy.up(self.release, **{**self.up, **more})
        home = os.path.expanduser("~")
        self.manifest["deployment"].append({
            "testbed": {k: v for k, v in {**self.up, **more}.items() if k != "name"},
            "frontend": ["python", "-m", "dynamo.frontend", *self.state["frontend_args"]],
            "workers": [{"role": w["role"], "argv": ["python", "-m", "dynamo.mocker", "--model-path", "MODEL_FOLDER",
                                                     "--model-name", deploy.MODEL, *w["args"]]}
                        for w in self.state["workers"]]})
        assert home not in json.dumps(self.manifest)
        self.started = time.monotonic()

    def load(self, **more):
        want = {**LOAD, **more}
        self.want = want
        return load.Load(self.state["frontend"], deploy.MODEL, want["requests"], want["concurrency"], want["isl"],
                         want["osl"]).start()

    def phase(self, name, workers=None, client=None, extra=False):
        where = os.path.join(self.dir, name)
        os.makedirs(where)
        pages = [("frontend", self.state["frontend"])]
        pages += [(f"worker{i}", w["url"]) for i, w in enumerate(self.state["workers"]) if workers is None or i in workers]
        entry = {"what": NOTE.get(name, ""), "at_seconds": round(time.monotonic() - self.started, 2),
                 "deployment": len(self.manifest["deployment"]) - 1}
        for who, url in pages:
            put(where, who + ".metrics.txt", deploy.get(url + "/metrics")[1])
        if extra:
            put(where, "frontend.health.json", deploy.get(self.state["frontend"] + "/health")[1])
            put(where, "frontend.models.json", deploy.get(self.state["frontend"] + "/v1/models")[1])
            status, text = deploy.get(self.state["workers"][0]["url"] + "/health")
            put(where, "worker0.health.txt", f"{status}\n{text}")
        if client is not None:
            entry["load"] = dict(self.want)
            entry["client"] = client
        self.manifest["phases"][name] = entry

    def __exit__(self, kind, value, trace):
        if getattr(self, "state", None):
            deploy.down(self.state)
        if kind is None:
            put(self.dir, "manifest.json", json.dumps(self.manifest, indent=1) + "\n")
            self.log(f"recorded {self.release} {self.manifest['shape']}: {', '.join(self.manifest['phases'])}")


def put(folder, name, text):
    with open(os.path.join(folder, name), "w") as f:
        f.write(text)


def seen_so_far(job):
    """What the client had seen at that moment; in-flight requests are sent minus done."""
    s = job.summary()
    return {"sent": s["sent"], "done": len(job.results), "ok": s["ok"], "output_tokens_of_done": s["output_tokens"]}


def three_phases(s, **want):
    s.deployment()
    s.phase("before")
    job = s.load(**want)
    time.sleep(1.5)
    s.phase("during", client=seen_so_far(job))
    time.sleep(2)
    s.phase("during-2", client=seen_so_far(job))
    truth = job.wait()
    time.sleep(2.5)  # gauges sampled once a second come to rest
    s.phase("after", client=truth, extra=True)


def faults(s):
    for sig, before, after in ((signal.SIGKILL, "killed-before", (("killed-early", 3), ("killed", 12))),
                               (signal.SIGSTOP, "stopped-before", (("stopped", 4),))):
        deploy.down(s.state)
        s.deployment(migration_limit=2)
        job = s.load(requests=5000, concurrency=12)
        time.sleep(4)
        s.phase(before, client=seen_so_far(job))
        deploy.worker_signal(s.state, 1, sig)
        hit = time.monotonic()
        for name, at in after:
            time.sleep(max(0, hit + at - time.monotonic()))
            s.phase(name, workers=[0], client=seen_so_far(job))
        job.stop()
        if sig == signal.SIGSTOP:
            deploy.worker_signal(s.state, 1, signal.SIGCONT)
        s.manifest["phases"][after[-1][0]]["client_at_the_end"] = job.wait()


def pages(out, releases, only, log):
    def wanted(shape):
        return only in (None, shape)
    for release in releases:
        if wanted("agg"):
            with Shape(out, release, "agg", log) as s:
                three_phases(s)
                faults(s)
        for shape in ("disagg", "vllm-dp2"):
            if wanted(shape):
                with Shape(out, release, shape, log) as s:
                    three_phases(s)
        if release == "1.6.1" and wanted("agg-queue"):
            with Shape(out, release, "agg-queue", log, base="agg", queue_threshold=0.01) as s:
                three_phases(s, concurrency=64, requests=400)
        if release == "1.6.1" and wanted("trtllm-disagg-failing"):
            with Shape(out, release, "trtllm-disagg-failing", log, base="disagg", engine="trtllm") as s:
                s.deployment()
                job = s.load(requests=40, concurrency=4)
                truth = job.wait()
                time.sleep(2.5)
                s.phase("after", client=truth, extra=True)


DEMO_RELEASE = "1.6.1"
DEMO_ARGS = ["--max-num-seqs 16 --num-gpu-blocks-override 2048", "2:--speedup-ratio 0.5"]
# (until second, in flight): calm, ramp, saturation with waiting requests, recovery.
DEMO_PLAN = [(40, 6), (46, 16), (52, 28), (58, 44), (64, 60), (92, 84), (98, 48), (104, 24), (150, 8)]


def demo(out, log, seconds=150):
    state = deploy.up(DEMO_RELEASE, "agg", name="record-demo", workers=3, worker_args=DEMO_ARGS)
    folder = tempfile.mkdtemp(prefix="dynascope-demo-")
    try:
        warm = load.Load(state["frontend"], deploy.MODEL, 30, 6, 300, 60).start()
        warm.wait()
        isl = [300, 450, 600, 800, 1000, 1500]
        job = load.Load(state["frontend"], deploy.MODEL, 0, DEMO_PLAN[0][1], isl, 60, threads=96, seed=3).start()
        time.sleep(3)
        ends = ["frontend"] + [f"worker{i}" for i in range(len(state["workers"]))]
        urls = [state["frontend"]] + [w["url"] for w in state["workers"]]
        start = time.monotonic()
        for n in range(seconds):
            time.sleep(max(0, start + n - time.monotonic()))
            job.concurrency = next(c for until, c in DEMO_PLAN if n < until)
            where = os.path.join(folder, f"{n:04d}")
            os.makedirs(where)
            for who, url in zip(ends, urls):
                put(where, who + ".metrics.txt", deploy.get(url + "/metrics")[1])
        late = time.monotonic() - start - (seconds - 1)
        put(folder, "meta.json", json.dumps({"release": DEMO_RELEASE, "model": deploy.MODEL, "interval_ms": 1000,
                                             "frames": seconds, "endpoints": ends}) + "\n")
        truth = job.stop().wait()
        log(f"demo: {seconds} frames, the last one {late * 1000:.0f} ms late; client: {json.dumps(truth)}")
        done = subprocess.run([venvs.python(DEMO_RELEASE), os.path.join(HERE, "pack.py"), folder, out],
                              capture_output=True, text=True)
        if done.returncode:
            raise venvs.Problem(f"pack the demo into {out}: {done.stderr.strip().splitlines()[-1]}")
        log(done.stdout.strip())
    finally:
        deploy.down(state)
        shutil.rmtree(folder, ignore_errors=True)
