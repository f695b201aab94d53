"""Deployments of the real frontend, router and mocker workers: start, state, faults, stop."""
import json
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import load
import planner
import venvs
from venvs import Problem

MODEL = "tiny"
# Arguments of each engine; a later --worker-args wins over them.
ENGINES = {
    "sglang": ["--engine-type", "sglang", "--sglang-page-size", "16", "--num-gpu-blocks-override", "4096",
               "--max-num-seqs", "8"],
    "vllm": ["--engine-type", "vllm", "--num-gpu-blocks-override", "1024", "--max-num-seqs", "8"],
    "trtllm": ["--engine-type", "trtllm", "--num-gpu-blocks-override", "2048", "--max-num-seqs", "8"],
}
SHAPES = {"agg": "sglang", "disagg": "sglang", "vllm-dp2": "vllm"}  # and each one's default engine


def runs():
    return os.path.join(venvs.cache(), "runs")


def get(url, timeout=5):
    """(status, text) of a GET; any status counts as an answer."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def free_port():
    """A free port of 127.0.0.1 below 32768: DYN_SYSTEM_PORT is read as a signed 16-bit number, so a port that the
    kernel picks (32768 and up on Linux) stops a worker at its start."""
    for _ in range(200):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", random.randint(20000, 32000)))
                return s.getsockname()[1]
            except OSError:
                continue
    raise Problem("find a free port of 127.0.0.1 between 20000 and 32000: 200 tries were all taken")


def born(pid):
    """The start time of a process, as text; empty when there is none or only its remains."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return "" if fields[0] in "ZX" else fields[19]
    except OSError:
        if os.path.isdir("/proc/self"):
            return ""
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
    return done.stdout.strip()


def shape_workers(shape, engine, count):
    """(role, arguments) of every worker of a shape."""
    if shape == "agg":
        return [("agg", []) for _ in range(count or 2)]
    if shape == "disagg":
        # A prefill mocker refuses more hand-overs at a time than --max-num-seqs ("handoff session limit reached").
        wide = ["--max-num-seqs", "32"]
        return [("prefill", [*wide, "--disaggregation-mode", "prefill", "--bootstrap-ports", str(free_port())]),
                ("decode", [*wide, "--disaggregation-mode", "decode"])]
    if shape == "vllm-dp2" and engine == "vllm":
        return [("agg", ["--data-parallel-size", "2"]), ("agg", [])]
    raise Problem(f"start shape {shape!r} with engine {engine!r}: no such pair\nhint: shapes are {', '.join(SHAPES)}")


def start_process(argv, env, log):
    with open(log, "ab") as out:
        p = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    return p.pid


def up(release, shape, engine=None, name=None, workers=0, router_mode="kv", worker_args=(), queue_threshold=None,
       migration_limit=None, timeout=90, with_planner=False):
    engine = engine or SHAPES.get(shape, "sglang")
    if engine not in ENGINES:
        raise Problem(f"start engine {engine!r}: not one of {', '.join(ENGINES)}")
    python, model = venvs.python(release), venvs.model(release)
    name = name or f"{release}-{shape}-{engine}"
    run_dir = os.path.join(runs(), name)
    if os.path.exists(os.path.join(run_dir, "state.json")):
        raise Problem(f"start {name!r}: it is already up\nhint: `testbed.py down --name {name}`, or another --name")
    shutil.rmtree(run_dir, ignore_errors=True)
    os.makedirs(os.path.join(run_dir, "kv"))

    base = {k: v for k, v in os.environ.items() if not k.startswith("DYN_")}
    base.update(DYN_FILE_KV=os.path.join(run_dir, "kv"), DYN_DISCOVERY_BACKEND="file", HF_HUB_OFFLINE="1")
    port = free_port()
    front = ["--http-host", "127.0.0.1", "--http-port", str(port), "--router-mode", router_mode, "--event-plane", "zmq"]
    if queue_threshold is not None:
        front += ["--router-queue-threshold", str(queue_threshold)]
    if migration_limit is not None:
        front += ["--migration-limit", str(migration_limit)]
    state = {"name": name, "release": release, "shape": shape, "engine": engine, "model": MODEL,
             "frontend": f"http://127.0.0.1:{port}", "workers": [], "extras": [], "frontend_pid": 0, "frontend_args": front,
             "run_dir": run_dir}

    def save():
        part = os.path.join(run_dir, "state.json.part")
        with open(part, "w") as f:
            json.dump(state, f)
        os.replace(part, os.path.join(run_dir, "state.json"))

    try:
        state["frontend_pid"] = start_process([python, "-m", "dynamo.frontend", *front], base,
                                              os.path.join(run_dir, "frontend.log"))
        state["frontend_start"] = born(state["frontend_pid"])
        save()
        for i, (role, args) in enumerate(shape_workers(shape, engine, workers)):
            args = [*ENGINES[engine], *args, "--event-plane", "zmq"]
            for extra in worker_args:
                index, sep, rest = extra.partition(":")
                if sep and index.isdigit():
                    args += shlex.split(rest) if int(index) == i else []
                else:
                    args += shlex.split(extra)
            system = free_port()
            env = dict(base, DYN_SYSTEM_PORT=str(system), DYN_SYSTEM_HOST="127.0.0.1")
            argv = [python, "-m", "dynamo.mocker", "--model-path", model, "--model-name", MODEL, *args]
            pid = start_process(argv, env, os.path.join(run_dir, f"worker{i}.log"))
            state["workers"].append({"url": f"http://127.0.0.1:{system}", "pid": pid, "role": role, "args": args,
                                     "start": born(pid)})
            save()
        wait_ready(state, timeout)
        if with_planner:
            planner.start(state, base, free_port, start_process, born)
            save()
            wait_ready(state, timeout)
    except BaseException:
        halt(state)
        if os.path.exists(os.path.join(run_dir, "state.json")):
            os.remove(os.path.join(run_dir, "state.json"))
        raise
    return state


def ready(state):
    """Empty when everything answers, else what is missing."""
    try:
        models = json.loads(get(state["frontend"] + "/v1/models")[1])
        if MODEL not in [m["id"] for m in models.get("data", [])]:
            return "the frontend does not list the model yet"
        health = json.loads(get(state["frontend"] + "/health")[1])
        seen = {i["instance_id"] for i in health.get("instances", []) if i["endpoint"] == "generate"}
        if len(seen) < len(state["workers"]):
            return f"the frontend sees {len(seen)} of {len(state['workers'])} workers"
        for i, w in enumerate(state["workers"]):
            if get(w["url"] + "/metrics")[0] != 200:
                return f"worker {i} has no metrics page yet"
        if "planner" in state and get(state["planner"] + "/metrics")[0] != 200:
            return "the planner has no metrics page yet"
    except (OSError, ValueError) as e:
        return str(e)
    return ""


def wait_ready(state, timeout):
    end = time.monotonic() + timeout
    while True:
        missing = ready(state)
        if not missing:
            return
        for what, pid, start in processes(state):
            if not start or born(pid) != start:
                raise Problem(f"start {state['name']!r}: the {what} ended\n"
                              f"hint: see the end of {os.path.join(state['run_dir'], what + '.log')}")
        if time.monotonic() > end:
            raise Problem(f"start {state['name']!r}: not ready after {timeout} s: {missing}\n"
                          f"hint: see the logs in {state['run_dir']}")
        time.sleep(0.2)


def processes(state):
    yield "frontend", state["frontend_pid"], state.get("frontend_start", "")
    for i, w in enumerate(state["workers"]):
        yield f"worker{i}", w["pid"], w["start"]
    for e in state.get("extras", []):
        yield e["name"], e["pid"], e["start"]


def send(pid, start, sig):
    """Signal a process group that is still the one that was started; False when it is gone."""
    if not pid or not start or born(pid) != start:
        return False
    try:
        os.killpg(pid, sig)
        return True
    except ProcessLookupError:
        return False


def worker_signal(state, index, sig):
    if not 0 <= index < len(state["workers"]):
        raise Problem(f"signal worker {index} of {state['name']!r}: it has {len(state['workers'])} workers")
    w = state["workers"][index]
    if not send(w["pid"], w["start"], sig):
        raise Problem(f"signal worker {index} of {state['name']!r}: it is not running")


def halt(state):
    alive = [(pid, start) for _, pid, start in processes(state)]
    for pid, start in alive:
        send(pid, start, signal.SIGCONT)
        send(pid, start, signal.SIGTERM)
    end = time.monotonic() + 5
    while time.monotonic() < end and any(s and born(p) == s for p, s in alive):
        time.sleep(0.1)
    for pid, start in alive:
        send(pid, start, signal.SIGKILL)
        try:
            os.waitpid(pid, os.WNOHANG)
        except OSError:  # not a child of this process
            pass
    shutil.rmtree(os.path.join(state["run_dir"], "kv"), ignore_errors=True)


def down(state):
    halt(state)
    os.remove(os.path.join(state["run_dir"], "state.json"))


def states():
    out = []
    for name in sorted(os.listdir(runs())) if os.path.isdir(runs()) else []:
        try:
            with open(os.path.join(runs(), name, "state.json")) as f:
                out.append(json.load(f))
        except OSError:
            continue
    return out


def find(name=None):
    """The deployment of that name, or the only one there is."""
    all_of_them = states()
    hits = [s for s in all_of_them if name in (None, s["name"])]
    if len(hits) != 1:
        names = ", ".join(s["name"] for s in all_of_them) or "none"
        raise Problem(f"find the deployment {name or ''}: {len(hits)} match\nhint: running: {names}")
    return hits[0]


def status(state):
    out = {"name": state["name"], "frontend": state["frontend"], "ready": ready(state) or "yes", "processes": {}}
    for what, pid, start in processes(state):
        out["processes"][what] = "running" if start and born(pid) == start else "gone"
    return out


def probe(state):
    r = load.one("127.0.0.1", int(state["frontend"].rsplit(":", 1)[1]), load.body(MODEL, "hello", 4, True))
    if not r["ok"]:
        raise Problem(f"probe {state['name']!r}: status {r['status']}: {r['error']}")
