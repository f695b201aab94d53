#!/usr/bin/env python3
"""A real Dynamo on a machine without a GPU: frontend, KV router and mocker workers, from PyPI.

  testbed.py install                                    once (about 1.2 GB in the user's cache folder)
  testbed.py up --release 1.6.1 --shape agg             prints one JSON line with the addresses
  testbed.py load --url URL --model tiny --requests 200 --concurrency 16 --isl 256 --osl 40
  testbed.py stop|cont|kill --worker 1                  faults: SIGSTOP, SIGCONT, SIGKILL
  testbed.py down --all
  testbed.py record --out DIR                           record the metrics pages that the tests use
  testbed.py record-demo --out FILE                     record the demo replay
"""
import argparse
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import deploy  # noqa: E402
import load  # noqa: E402
import venvs  # noqa: E402
from venvs import Problem  # noqa: E402


def note(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = p.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, text):
        return verbs.add_parser(name, help=text, description=text)
    v = verb("install", "make the virtual environments and the model folder (idempotent)")
    v.add_argument("--release", default="all", choices=[*venvs.RELEASES, "all"])
    v = verb("up", "start a deployment and print its addresses as one JSON line")
    v.add_argument("--release", required=True, choices=venvs.RELEASES)
    v.add_argument("--shape", default="agg", choices=list(deploy.SHAPES))
    v.add_argument("--name")
    v.add_argument("--engine", choices=list(deploy.ENGINES))
    v.add_argument("--workers", type=int, default=0, help="workers of the shape agg (2)")
    v.add_argument("--router-mode", default="kv")
    v.add_argument("--worker-args", action="append", default=[], metavar="ARGS",
                   help="more mocker arguments; with a prefix like 1: only for that worker; may be repeated")
    v.add_argument("--router-queue-threshold", type=float)
    v.add_argument("--migration-limit", type=int)
    v.add_argument("--planner", action="store_true", help="the real planner beside it, advisory (1.4.2; needs etcd)")
    v.add_argument("--probe", action="store_true", help="send one tiny request; without it none is sent")
    v = verb("down", "stop a deployment")
    v.add_argument("--name")
    v.add_argument("--all", action="store_true")
    verb("status", "one JSON line per deployment")
    for name, text in (("kill", "SIGKILL a worker"), ("stop", "SIGSTOP a worker"), ("cont", "SIGCONT a worker")):
        v = verb(name, text)
        v.add_argument("--name")
        v.add_argument("--worker", type=int, required=True)
    v = verb("load", "send bounded load and print what was served as JSON")
    v.add_argument("--url", required=True)
    v.add_argument("--model", default=deploy.MODEL)
    v.add_argument("--requests", type=int, default=100)
    v.add_argument("--concurrency", type=int, default=8)
    v.add_argument("--isl", type=int, default=256)
    v.add_argument("--osl", type=int, default=40)
    v.add_argument("--seconds", type=float, default=0, help="send nothing new after this long")
    v.add_argument("--stream", action=argparse.BooleanOptionalAction, default=True)
    v = verb("record", "record the metrics pages of real deployments")
    v.add_argument("--out", required=True)
    v.add_argument("--release", default="all", choices=[*venvs.RELEASES, "all"])
    v.add_argument("--shape", help="only this one")
    v = verb("record-demo", "record the demo replay (about three minutes)")
    v.add_argument("--out", required=True)
    return p.parse_args()


def main():
    a = arguments()
    if a.verb == "install":
        chosen = venvs.RELEASES if a.release == "all" else [a.release]
        for release in chosen:
            venvs.install(release, note)
        venvs.model(chosen[0])
    elif a.verb == "up":
        state = deploy.up(a.release, a.shape, a.engine, a.name, a.workers, a.router_mode, a.worker_args,
                          a.router_queue_threshold, a.migration_limit, with_planner=a.planner)
        if a.probe:
            deploy.probe(state)
        print(json.dumps(state))
    elif a.verb == "down":
        for state in deploy.states() if a.all else [deploy.find(a.name)]:
            deploy.down(state)
    elif a.verb == "status":
        for state in deploy.states():
            print(json.dumps(deploy.status(state)))
    elif a.verb in ("kill", "stop", "cont"):
        sig = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "cont": signal.SIGCONT}[a.verb]
        deploy.worker_signal(deploy.find(a.name), a.worker, sig)
    elif a.verb == "load":
        if a.concurrency < 1 or a.concurrency > 512 or a.requests < 0 or (a.requests == 0 and a.seconds <= 0):
            raise Problem("send load: it must be bounded\nhint: --concurrency 1 to 512, and --requests or --seconds")
        job = load.Load(a.url, a.model, a.requests, a.concurrency, a.isl, a.osl, a.stream, a.seconds)
        print(json.dumps(job.start().wait()))
    else:
        import record
        if a.verb == "record":
            record.pages(a.out, venvs.RELEASES if a.release == "all" else [a.release], a.shape, note)
        else:
            record.demo(a.out, note)


if __name__ == "__main__":
    try:
        main()
    except Problem as e:
        note(f"testbed: {e}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
