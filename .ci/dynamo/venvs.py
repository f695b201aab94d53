"""The virtual environments and the model folder of the test bed, made once per cache folder."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MARKER = "testbed-requirements.txt"
# One list of pip arguments per step. From 1.5 on, ai-dynamo asks for a package that PyPI holds only as a placeholder,
# so the newer release is installed without its dependencies and the ones in use are named.
STEPS = {
    "1.6.1": [
        ["--no-deps", "ai-dynamo==1.6.1"],
        ["ai-dynamo-runtime==1.6.1", "aiohttp>=3.14.3,<4", "certifi", "kubernetes>=32.0.1,<33", "msgspec",
         "prometheus-client<1", "pyzmq", "redis<9", "tqdm", "transformers", "typing-extensions", "zstandard<1",
         "tokenizers"],
    ],
    # The second step is what its planner imports and does not ask for.
    "1.4.2": [
        ["ai-dynamo==1.4.2", "tokenizers"],
        ["prometheus-api-client", "plotly", "pandas", "filterpy", "pmdarima", "prophet", "scikit-learn", "scipy"],
    ],
}
RELEASES = list(STEPS)
CHECK = "import dynamo.frontend, dynamo.mocker, tokenizers"
CHECKS = {"1.4.2": CHECK + ", prophet, pmdarima, filterpy, plotly"}


class Problem(Exception):
    """What was being done, why it failed, and a hint."""


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("DYNASCOPE_TESTBED") or os.path.join(base, "dynascope", "testbed")


def folder(release):
    if release not in STEPS:
        raise Problem(f"find release {release!r}: not one of {', '.join(RELEASES)}")
    return os.path.join(cache(), "venv-" + release)


def _python(release):
    return os.path.join(folder(release), "bin", "python")


def python(release):
    """The interpreter of a finished venv, or a Problem that says how to get one."""
    marker = os.path.join(folder(release), MARKER)
    if not os.path.exists(marker):
        raise Problem(f"find the venv of release {release}: {marker} does not exist\n"
                      f"hint: run `testbed.py install --release {release}` first")
    return _python(release)


def _wanted(release):
    return "".join(" ".join(step) + "\n" for step in STEPS[release])


def _imports(release):
    if not os.path.exists(_python(release)):
        return False
    done = subprocess.run([_python(release), "-c", CHECKS.get(release, CHECK)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def install(release, log=print):
    where, marker = folder(release), os.path.join(folder(release), MARKER)
    if os.path.exists(marker) and open(marker).read() == _wanted(release):
        log(f"{release}: already installed")
        return
    if not _imports(release):
        if not (3, 11) <= sys.version_info[:2] < (3, 14):
            raise Problem(f"install release {release}: this is python {sys.version.split()[0]}, and dynamo's wheels "
                          "need 3.11 to 3.13\nhint: start testbed.py with such a python")
        log(f"{release}: installing (about 620 MB, a minute or two)")
        steps = [[sys.executable, "-m", "venv", where]]
        steps += [[_python(release), "-m", "pip", "install", "--quiet", *step] for step in STEPS[release]]
        for argv in steps:
            if subprocess.run(argv, stdout=sys.stderr).returncode:
                raise Problem(f"install release {release}: `{' '.join(argv[1:])}` failed\n"
                              "hint: its own message is above; the package index must be reachable")
        if not _imports(release):
            raise Problem(f"install release {release}: installed, but `{CHECKS.get(release, CHECK)}` fails in it\n"
                          f"hint: remove the folder {where} and try again")
    with open(marker, "w") as f:
        f.write(_wanted(release))
    log(f"{release}: ready")


def model(release):
    """The model folder, made on first use."""
    where = os.path.join(cache(), "model-tiny")
    if not os.path.exists(os.path.join(where, "words.txt")):
        part = f"{where}.{os.getpid()}"
        made = subprocess.run([python(release), os.path.join(HERE, "model.py"), part], stdout=sys.stderr)
        if made.returncode:
            raise Problem("make the model folder: model.py failed\nhint: its own message is above")
        try:
            os.rename(part, where)
        except OSError:  # another process was faster
            shutil.rmtree(part, ignore_errors=True)
    return where
