"""A small bounded load client: threads, http.client, exact output lengths, and the truth about what was served."""
import http.client
import json
import os
import random
import threading
import time
import urllib.parse

import model as tiny
import venvs

TEMPLATE_TOKENS = 3  # the chat template's own: the role, the end, and the assistant's opening


def word_list():
    try:
        with open(os.path.join(venvs.cache(), "model-tiny", "words.txt")) as f:
            return f.read().split()
    except OSError:
        return tiny.words()


def body(model, prompt, osl, stream):
    b = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": osl, "min_tokens": osl,
         "ignore_eos": True, "stream": stream}
    if stream:
        b["stream_options"] = {"include_usage": True}
    return b


def one(host, port, request, timeout=120):
    """Send one request; returns what came back, an error as text, never raises."""
    r = {"ok": False, "status": 0, "chunks": 0, "output_tokens": 0, "input_tokens": 0, "ttft": None, "error": ""}
    start = time.monotonic()
    try:
        c = http.client.HTTPConnection(host, port, timeout=timeout)
        c.request("POST", "/v1/chat/completions", json.dumps(request), {"Content-Type": "application/json"})
        a = c.getresponse()
        r["status"] = a.status
        if a.status != 200:
            r["error"] = a.read(500).decode("utf-8", "replace")
        elif not request["stream"]:
            usage = json.loads(a.read())["usage"]
            r.update(ok=True, output_tokens=usage["completion_tokens"], input_tokens=usage["prompt_tokens"])
        else:
            _stream(a, r, start)
        c.close()
    except (OSError, ValueError, KeyError, http.client.HTTPException) as e:
        r["error"] = f"{type(e).__name__}: {e}"
    r["seconds"] = time.monotonic() - start
    return r


def _stream(answer, r, start):
    for line in answer:
        if line.startswith(b"event: error"):
            r["error"] = "error event in the stream"
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":  # read on to the end: closing early looks like a cancelled request to the server
            r["ok"] = not r["error"]
            continue
        chunk = json.loads(data)
        if chunk.get("error"):
            r["error"] = json.dumps(chunk["error"])
        for choice in chunk.get("choices") or []:
            if (choice.get("delta") or {}).get("content"):
                r["chunks"] += 1
                if r["ttft"] is None:
                    r["ttft"] = time.monotonic() - start
        if chunk.get("usage"):
            r["output_tokens"] = chunk["usage"]["completion_tokens"]
            r["input_tokens"] = chunk["usage"]["prompt_tokens"]


class Load:
    """At most `concurrency` requests in flight until `requests` are sent, `seconds` are over, or stop() is called.

    isl is a number or a list to draw from. concurrency may be changed while it runs, up to `threads`."""

    def __init__(self, url, model, requests, concurrency, isl, osl, stream=True, seconds=0, seed=1, threads=0):
        u = urllib.parse.urlsplit(url)
        self.host, self.port, self.model = u.hostname, u.port or 80, model
        self.requests, self.concurrency, self.osl, self.stream = requests, concurrency, osl, stream
        self.isl = isl if isinstance(isl, list) else [isl]
        self.rng, self.words = random.Random(seed), word_list()
        self.lock, self.sent, self.results, self.over = threading.Lock(), 0, [], False
        self.end = time.monotonic() + seconds if seconds else None
        self.threads = [threading.Thread(target=self._work, args=(i,), daemon=True)
                        for i in range(max(threads, concurrency))]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self):
        self.over = True
        return self

    def wait(self):
        for t in self.threads:
            t.join()
        return self.summary()

    def _next(self):
        with self.lock:
            late = self.end is not None and time.monotonic() > self.end
            if self.over or late or (self.requests and self.sent >= self.requests):
                return None
            self.sent += 1
            n = max(1, self.rng.choice(self.isl) - TEMPLATE_TOKENS)
            return " " + " ".join(self.rng.choice(self.words) for _ in range(n))

    def _work(self, index):
        while True:
            if index >= self.concurrency and not self.over:
                time.sleep(0.05)
                if not self.requests or self.sent < self.requests:
                    continue
            prompt = self._next()
            if prompt is None:
                return
            r = one(self.host, self.port, body(self.model, prompt, self.osl, self.stream))
            with self.lock:
                self.results.append(r)
            if not r["ok"]:
                time.sleep(0.25)  # a server that refuses at once is not to be flooded

    def summary(self):
        rs = list(self.results)
        ok = [r for r in rs if r["ok"]]
        ttft = sorted(r["ttft"] for r in ok if r["ttft"] is not None)
        failed = {}
        for r in rs:
            if not r["ok"]:
                key = f"{r['status']} {r['error'][:160]}".strip()
                failed[key] = failed.get(key, 0) + 1
        out = {"sent": self.sent, "ok": len(ok), "stream": self.stream,
               "input_tokens": sum(r["input_tokens"] for r in ok), "output_tokens": sum(r["output_tokens"] for r in ok),
               "content_chunks": sum(r["chunks"] for r in ok), "failed": failed,
               "seconds_mean": round(sum(r["seconds"] for r in ok) / len(ok), 4) if ok else None, "ttft": None}
        if ttft:
            def at(q):
                return round(ttft[min(len(ttft) - 1, int(q * len(ttft)))], 4)
            out["ttft"] = {"count": len(ttft), "mean": round(sum(ttft) / len(ttft), 4), "min": at(0), "p50": at(.5),
                           "p95": at(.95), "max": at(1)}
        return out
