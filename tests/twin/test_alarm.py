"""A loop that sleeps until something is due misses no ring."""

import asyncio

from voltomo.twin.ioc import Alarm


def test_it_sleeps_until_its_time_or_until_it_is_rung() -> None:
    async def day() -> tuple[float, float, float]:
        loop, alarm = asyncio.get_running_loop(), Alarm()
        begun_s = loop.time()
        await alarm.sleep(0.05)
        slept_s = loop.time() - begun_s
        loop.call_later(0.01, alarm.ring)
        begun_s = loop.time()
        await alarm.sleep(30.0)
        woken_s = loop.time() - begun_s
        # Rung while the loop was at work: the next sleep must not lose it, the one after may sleep.
        alarm.ring()
        begun_s = loop.time()
        await alarm.sleep(30.0)
        await alarm.sleep(0.05)
        return slept_s, woken_s, loop.time() - begun_s

    slept_s, woken_s, both_s = asyncio.run(day())
    assert slept_s >= 0.049
    assert woken_s < 20
    assert 0.049 <= both_s < 20


def test_a_sleep_that_is_cancelled_leaves_no_timer() -> None:
    async def day() -> None:
        alarm = Alarm()
        sleeper = asyncio.ensure_future(alarm.sleep(0.02))
        await asyncio.sleep(0)
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        begun_s = asyncio.get_running_loop().time()
        await alarm.sleep(0.06)
        assert asyncio.get_running_loop().time() - begun_s >= 0.059

    asyncio.run(day())
