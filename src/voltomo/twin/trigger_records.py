"""PVs of the trigger hardware."""

from __future__ import annotations

import math

from caproto.server import PVGroup, PvpropertyEnum, pvproperty

from voltomo.model.trigger_source import pack
from voltomo.twin.ioc import PutRefused, on_put
from voltomo.twin.trigger import Train, TriggerHardware

CHUNK_ELEMENTS = 8192
CHUNK_SPAN_S = 2.0
READ_MOST = 4000
_AFTERGLOW_S = 0.5
"""Chunks are repeated for so long after the last edge: a lost update loses nothing."""


class TriggerRecords(PVGroup):
    """Channels under ``…Trigger:``; `update` keeps the readbacks."""

    reset = pvproperty(name="Reset", value=0, doc="1: index at First, latches forgotten")
    first = pvproperty(name="First", value=0, doc="index that Reset sets")
    mode = pvproperty(
        name="Mode", value="Position", enum_strings=["Position", "Time"], dtype=PvpropertyEnum
    )
    number = pvproperty(name="Number", value=1, doc="triggers of the train")
    start = pvproperty(name="Start", value=0.0, units="deg", precision=5)
    step = pvproperty(name="Step", value=1.0, units="deg", precision=5, doc="sign: direction")
    period = pvproperty(name="Period", value=0.1, units="s", precision=6)
    gate_lead = pvproperty(name="GateLead", value=0.05, units="s", precision=4)
    gate_tail = pvproperty(name="GateTail", value=0.05, units="s", precision=4)
    exposure = pvproperty(name="Exposure", value=0.0, units="s", precision=6)
    arm = pvproperty(name="Arm", value=0, doc="1 arms with the values above, 0 disarms")
    armed_rbv = pvproperty(name="Armed_RBV", value=0, read_only=True)
    fire = pvproperty(name="Fire", value=0, doc="1 starts a timed train")
    count_rbv = pvproperty(name="Count_RBV", value=0, read_only=True, doc="next index")
    gate_rbv = pvproperty(name="Gate_RBV", value=0, read_only=True)
    chunk = pvproperty(
        name="Chunk",
        value=[0.0, 0.0],
        max_length=CHUNK_ELEMENTS,
        max_subscription_backlog=20,
        read_only=True,
        doc="[first, n, n angles, n times] of the last 2 s",
    )
    read_first = pvproperty(name="ReadFirst", value=0, doc="fills ReadBack from this index on")
    read_back = pvproperty(
        name="ReadBack",
        value=[0.0, 0.0],
        max_length=2 + 2 * READ_MOST,
        max_subscription_backlog=20,
        read_only=True,
    )

    def __init__(self, prefix: str, hardware: TriggerHardware) -> None:
        super().__init__(prefix=prefix)
        on_put(self.reset, self.put_reset)
        on_put(self.arm, self.put_arm)
        on_put(self.fire, self.put_fire)
        on_put(self.read_first, self.put_read_first)
        self.hardware = hardware
        self._chunk_end = 0
        self._newest_s = -math.inf
        self._posted: dict[str, int] = {}

    async def put_reset(self, value: int) -> int:
        """Forget all latches."""
        if value:
            self.hardware.disarm()
            first = int(self.first.value)
            if first < 0:
                raise PutRefused(f"First must be 0 or more, it is {first}; the index is as it was")
            self.hardware.reset(first)
            self._chunk_end, self._newest_s = first, -math.inf
            await self.chunk.write([float(first), 0.0], verify_value=False)
            await self._post(armed_rbv=0, count_rbv=first, gate_rbv=0)
        return 0

    async def put_arm(self, value: int) -> int:
        """Arm or disarm; Armed_RBV tells before the put returns."""
        if value:
            self.hardware.arm(self._train())
        else:
            self.hardware.disarm()
        await self._post(armed_rbv=int(self.hardware.armed))
        return int(bool(value))

    async def put_fire(self, value: int) -> int:
        """Start a timed train."""
        if value and not self.hardware.fire():
            raise PutRefused(
                "Fire needs an armed train in Mode Time that has not begun; nothing was fired"
            )
        return 0

    async def put_read_first(self, value: int) -> int:
        """Fill ReadBack."""
        latches = self.hardware.latched(int(value), READ_MOST)
        await self.read_back.write(pack(latches).tolist(), verify_value=False)
        return value

    def _train(self) -> Train:
        """The values set, checked."""
        mode = "Time" if self.mode.value == "Time" else "Position"
        train = Train(
            mode=mode,
            count=int(self.number.value),
            start_deg=float(self.start.value),
            step_deg=float(self.step.value),
            period_s=float(self.period.value),
            lead_s=max(float(self.gate_lead.value), 0.0),
            tail_s=max(float(self.gate_tail.value), float(self.exposure.value), 0.0),
        )
        if train.count < 1:
            raise PutRefused(f"Number must be 1 or more, it is {train.count}; nothing was armed")
        if mode == "Position" and train.step_deg == 0:
            raise PutRefused("Step must not be 0 in Mode Position; nothing was armed")
        if mode == "Time" and train.period_s <= 0:
            raise PutRefused(f"Period must be positive, it is {train.period_s}; nothing was armed")
        return train

    async def _post(self, **values: int) -> None:
        """Post readbacks that changed."""
        for name, value in values.items():
            if self._posted.get(name) != value:
                self._posted[name] = value
                await getattr(self, name).write(value, verify_value=False)

    async def update_gate(self, now_s: float) -> None:
        """Post the gate's edges as they come."""
        await self._post(gate_rbv=int(self.hardware.gate(now_s)))

    async def update(self, now_s: float) -> None:
        """Post what changed; chunks while triggers come and a little longer."""
        await self._post(armed_rbv=int(self.hardware.armed), count_rbv=self.hardware.count)
        if self.hardware.count > self._chunk_end:
            self._chunk_end, self._newest_s = self.hardware.count, now_s
        if now_s - self._newest_s <= _AFTERGLOW_S:
            latches = self.hardware.latched_since(now_s - CHUNK_SPAN_S, CHUNK_ELEMENTS // 2 - 1)
            await self.chunk.write(pack(latches).tolist(), verify_value=False)
