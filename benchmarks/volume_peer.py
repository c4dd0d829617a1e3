"""mbirjax on the same scan: run by the peers' own Python, which knows nothing of voltomo.

``python benchmarks/volume_peer.py SCAN.npz`` prints one line of JSON: processor seconds of
``direct_recon`` once it is compiled, and how like the truth its volume is. One thread, as the
process is held to one processor before anything is imported.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
import warnings

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ["XLA_FLAGS"] = (
    "--xla_cpu_multi_thread_eigen=false --xla_force_host_platform_device_count=1"
)
os.environ["JAX_PLATFORMS"] = "cpu"


def main() -> None:
    """Reconstruct twice, time the second."""
    import numpy as np

    warnings.simplefilter("ignore")
    import mbirjax  # pyright: ignore[reportMissingImports]

    scan = np.load(sys.argv[1])
    projections, truth = scan["projections"], scan["truth"]
    # Its azimuth turns the other way.
    angles = np.stack([-scan["angles_rad"], np.full(len(projections), scan["tilt_rad"])], 1)
    model = mbirjax.MultiAxisParallelModel(projections.shape, angles)
    n = len(truth)
    model.set_params(recon_shape=(n, n, n), delta_voxel=1.0, delta_det_row=1.0, no_warning=True)
    # Compiled by the first.
    model.direct_recon(projections)
    before, wall = time.process_time(), time.perf_counter()
    volume = np.asarray(model.direct_recon(projections))
    cpu_s, s = time.process_time() - before, time.perf_counter() - wall
    inside = scan["inside"]
    likeness = max(
        float(np.corrcoef(way[inside], truth[inside])[0, 1])
        for way in _ways(np.transpose(volume, (2, 0, 1)))
    )
    sys.stdout.write(json.dumps({"cpu_s": cpu_s, "s": s, "likeness": likeness}) + "\n")


def _ways(volume):
    """The volume with its axes in every sense and order across the axis."""
    for turned in (volume, volume.swapaxes(1, 2)):
        for z, y, x in itertools.product((1, -1), repeat=3):
            yield turned[::z, ::y, ::x]


if __name__ == "__main__":
    main()
