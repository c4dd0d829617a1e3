"""Supervised toy services, in this process or, as ``python -m toys FOLDER``, in one of its own."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from voltomo.cli.supervisor import Supervisor
from voltomo.runtime.run_folder import Addresses, RunFolder
from voltomo.runtime.service import ServiceSpec

HERE = str(Path(__file__).parent)
USUAL = {"motion": "good", "shutter": "good", "guard": "good", "page": "good"}


def toy_specs(
    manners: dict[str, str], restarts: int = 5, silence_s: float = 60.0
) -> Callable[[Addresses], Sequence[ServiceSpec]]:
    def specs(addresses: Addresses) -> list[ServiceSpec]:
        made: list[ServiceSpec] = []
        for name, manner in manners.items():
            port = addresses.channel_access.get(name, addresses.page)
            made.append(
                ServiceSpec(
                    name=name,
                    module="toy_service",
                    domain="hardware",
                    arguments=("--name", name, "--port", str(port), "--manner", manner),
                    ready_port=port,
                    restarts=restarts,
                    silence_s=silence_s,
                    environment={"PYTHONPATH": HERE},
                )
            )
        return made

    return specs


def toy_supervisor(
    folder: Path,
    manners: dict[str, str] | None = None,
    *,
    restarts: int = 5,
    silence_s: float = 60.0,
    first_port: int | None = None,
) -> Supervisor:
    return Supervisor(
        RunFolder(folder),
        {"live": {}},
        first_port=first_port,
        specs=toy_specs(manners or USUAL, restarts, silence_s),
    )


def events(folder: Path) -> list[tuple[str, str, int]]:
    path = folder / "events.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(what, name, int(pid)) for what, name, pid in (line.split() for line in lines)]


if __name__ == "__main__":
    from voltomo.cli.errors import sentences
    from voltomo.cli.up import keep_up

    manner = dict(word.split("=") for word in sys.argv[2:])
    with sentences():
        keep_up(toy_supervisor(Path(sys.argv[1]), USUAL | manner))
