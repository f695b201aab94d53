"""The real planner beside a deployment: etcd, a Prometheus server and dynamo.planner in advisory mode.

It decides and scales nothing: `advisory` logs each decision and exports it.
"""
import json
import os
import shutil

import venvs
from venvs import Problem

RELEASE = "1.4.2"  # the newer one is on PyPI without its planner

CONFIG = """environment: virtual
backend: mocker
mode: agg
optimization_target: throughput
pre_deployment_sweeping_mode: none
advisory: true
model_name: {model}
decode_engine_num_gpu: 1
prefill_engine_num_gpu: 1
load_adjustment_interval_seconds: 5
throughput_adjustment_interval_seconds: 10
metric_pulling_prometheus_endpoint: {prometheus}
live_dashboard_port: 0
"""


def tools():
    """Paths of etcd and of the Prometheus server."""
    etcd = shutil.which("etcd")
    if not etcd:
        raise Problem("start the planner: no etcd on the path\nhint: apt-get install etcd-server")
    server = os.environ.get("PROMETHEUS_SERVER", "")
    if not os.path.exists(server):
        raise Problem("start the planner: PROMETHEUS_SERVER names no Prometheus server\nhint: make e2e-dynamo builds one and names it")
    return etcd, server


def start(state, base, free_port, start_process, born):
    """Start all three; they join the deployment's processes and end with it."""
    if state["release"] != RELEASE:
        raise Problem(f"start the planner of {state['release']}: PyPI has none\nhint: --release {RELEASE}")
    etcd, server = tools()
    run = state["run_dir"]
    client, peer, prom, page = (free_port() for _ in range(4))

    def launch(what, argv, env):
        pid = start_process(argv, env, os.path.join(run, what + ".log"))
        state["extras"].append({"name": what, "pid": pid, "start": born(pid)})

    url = f"http://127.0.0.1:{client}"
    launch("etcd", [etcd, "--data-dir", os.path.join(run, "etcd"), "--listen-client-urls", url,
                    "--advertise-client-urls", url, "--listen-peer-urls", f"http://127.0.0.1:{peer}"], base)
    hosts = [u.removeprefix("http://") for u in [state["frontend"], *(w["url"] for w in state["workers"])]]
    config = os.path.join(run, "prometheus.yml")
    with open(config, "w") as f:
        json.dump({"global": {"scrape_interval": "2s"},
                   "scrape_configs": [{"job_name": "dynamo", "static_configs": [{"targets": hosts}]}]}, f)
    launch("prometheus", [server, "--config.file=" + config, "--storage.tsdb.path=" + os.path.join(run, "prometheus"),
                          f"--web.listen-address=127.0.0.1:{prom}"], base)
    config = os.path.join(run, "planner.yaml")
    with open(config, "w") as f:
        f.write(CONFIG.format(model=state["model"], prometheus=f"http://127.0.0.1:{prom}"))
    env = dict(base, ETCD_ENDPOINTS=url, DYN_EVENT_PLANE="zmq", PROMETHEUS_ENDPOINT=f"http://127.0.0.1:{prom}",
               PLANNER_PROMETHEUS_PORT=str(page))
    launch("planner", [venvs.python(RELEASE), "-m", "dynamo.planner", "--config", config], env)
    state["planner"] = f"http://127.0.0.1:{page}"
