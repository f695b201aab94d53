"""Pack a folder of frames into a .tar.zst whose neighbouring frames share most of their bytes.

Run with a python that has `zstandard` (the venv of 1.6.1):  python pack.py DIR FILE
"""
import io
import os
import sys
import tarfile

import zstandard


def pack(folder, out):
    names = sorted(os.path.relpath(os.path.join(d, f), folder) for d, _, fs in os.walk(folder) for f in fs)
    names.sort(key=lambda n: (n != "meta.json", n))
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                data = f.read()
            info = tarfile.TarInfo(name.replace(os.sep, "/"))
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    level = zstandard.ZstdCompressionParameters.from_level(
        19, window_log=25, enable_ldm=True, write_content_size=True, write_checksum=True)
    packed = zstandard.ZstdCompressor(compression_params=level).compress(raw.getvalue())
    with open(out + ".part", "wb") as f:
        f.write(packed)
    os.replace(out + ".part", out)
    print(f"{len(names)} files, {len(raw.getvalue())} bytes, packed {len(packed)}")


if __name__ == "__main__":
    pack(*sys.argv[1:])
