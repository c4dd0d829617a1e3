"""One foreign library in a process of its own: run as a script, by any Python that has it.

Nothing of voltomo is imported, so that it runs in an environment without it. Orders come as lines
of JSON on the standard input, answers go as lines of JSON to where the standard output was; data
lie in files. What the library itself says on its standard output goes to the standard error.

Arguments: name of the library, number of threads.
"""

import importlib
import json
import os
import sys

# The script's own folder holds modules of voltomo, which must not be found in place of others.
if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
    del sys.path[0]


def algotom(threads):
    """Filtered back-projection of Algotom."""
    numpy = importlib.import_module("numpy")
    library = importlib.import_module("algotom.rec.reconstruction")

    def run(sinograms, angles_rad, centre):
        slices = [
            library.fbp_reconstruction(
                numpy.ascontiguousarray(one), centre, angles=angles_rad, ratio=1.0, ramp_win=None,
                filter_name=None, pad=None, gpu=False, ncore=threads, apply_log=False,
            )
            for one in sinograms
        ]  # fmt: skip
        return numpy.stack(slices)

    return run


def tomopy(threads):
    """Gridrec of TomoPy."""
    library = importlib.import_module("tomopy")

    def run(sinograms, angles_rad, centre):
        return library.recon(
            sinograms, angles_rad, center=centre, sinogram_order=True, algorithm="gridrec",
            filter_name="ramlak", ncore=threads,
        )  # fmt: skip

    return run


def main():
    """Serve orders until the standard input ends."""
    name, threads = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**words):
        answers.write(json.dumps(words) + "\n")
        answers.flush()

    try:
        numpy = importlib.import_module("numpy")
        run = {"algotom": algotom, "tomopy": tomopy}[name](threads)
    except ImportError as error:
        answer(kind="absent", why=str(error))
        return
    answer(kind="ready")
    for line in sys.stdin:
        order = json.loads(line)
        try:
            sinograms = numpy.load(order["sinograms"])
            angles = numpy.asarray(order["angles_rad"], numpy.float64)
            slices = run(sinograms, angles, order["centre"])
            numpy.save(order["slices"], numpy.asarray(slices, numpy.float32))
        except Exception as error:  # noqa: BLE001 - whatever the library raises is reported
            answer(kind="failed", why=f"{type(error).__name__}: {error}")
        else:
            answer(kind="done")


if __name__ == "__main__":
    main()
