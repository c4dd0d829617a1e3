"""What a sample's policy says to a lease: whether to give one, when to end one, how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from voltomo.dose.absorption import Absorption
from voltomo.dose.guard_table import Cause, Trip
from voltomo.dose.ledger import Account
from voltomo.dose.policies import Asked, Colour, Policy, colour, refusal

__all__ = ["PolicyState", "class_doses_Gy"]


def class_doses_Gy(account: Account, sample: str, absorption: Absorption) -> dict[str, float]:
    """What each class of material in a sample has received, at most and at the hottest point."""
    total = {str(name): 0.0 for name in absorption.of_classes(sample)}
    for energy_keV, fluence in account.fluence_per_cm2.items():
        for name, each in absorption.of_classes(sample, [energy_keV]).items():
            total[name] += fluence * each
    if account.dose_alone_Gy > 0:
        # A dose that came without its fluence is that of the sample's own material.
        own = absorption.of(sample)
        for name, each in absorption.of_classes(sample).items():
            total[name] += account.dose_alone_Gy * (each / own if own > 0 else 1.0)
    return total


@dataclass(frozen=True)
class PolicyState:
    """A policy and how a sample stands to it now.

    Attributes
    ----------
    policy : Policy
        As it holds now, overrides included.
    sample : str
        Whose.
    taken_Gy, rate_Gy_s : dict
        Received so far, and with the beam open, by class.
    early_s : float
        A limit is acted on so much open time early.
    """

    policy: Policy
    sample: str
    taken_Gy: dict[str, float]
    rate_Gy_s: dict[str, float]
    early_s: float

    def trip(self) -> Trip | None:
        """Why the beam must go off now."""
        for limit in self.policy.limits:
            name = limit.material_class
            rate, taken = self.rate_Gy_s.get(name, 0.0), self.taken_Gy.get(name, 0.0)
            of = f"the {name} of '{self.sample}' (policy '{self.policy.name}', {limit.source})"
            if limit.rate_Gy_s is not None and rate > limit.rate_Gy_s:
                return Trip(
                    Cause.RATE,
                    f"the dose rate is {rate:.4g} Gy/s, and at most {limit.rate_Gy_s:.4g} Gy/s "
                    f"are allowed for {of}: attenuate the beam",
                )
            if limit.dose_Gy is None or rate <= 0:
                continue
            if limit.dose_Gy - taken <= rate * self.early_s:
                reached = f"the dose limit of {limit.dose_Gy:.4g} Gy is reached for {of}"
                return Trip(Cause.LIMIT, reached)
        return None

    def refusal(self, seconds: float, scan_seconds: float, what: str, *, last: bool) -> str:
        """Why so much beam is not given, and what would fit; empty where it fits.

        Parameters
        ----------
        seconds : float
            Open beam that is asked for now.
        scan_seconds : float
            Open beam of the whole scan, as many of which are kept back as the policy says.
        what : str
            How it is called.
        last : bool
            Whether it may take what was kept back.
        """
        early_Gy = {name: rate * self.early_s for name, rate in self.rate_Gy_s.items()}
        asked_Gy = {name: rate * seconds + early_Gy[name] for name, rate in self.rate_Gy_s.items()}
        if not any(asked_Gy.values()):
            return ""
        asked = Asked(asked_Gy, self.rate_Gy_s, last=True, what=what)
        found = refusal(self.policy, self.taken_Gy, asked)
        if found or last:
            return found
        kept_Gy = {
            name: self.policy.keep_for_scans * rate * scan_seconds
            for name, rate in self.rate_Gy_s.items()
        }
        reserved = {name: self.taken_Gy.get(name, 0.0) + more for name, more in kept_Gy.items()}
        if not refusal(self.policy, reserved, asked):
            return ""
        scans = self.policy.keep_for_scans
        listed = ", ".join(f"{name} {dose:.4g} Gy" for name, dose in kept_Gy.items())
        return (
            f"{what} would use what policy '{self.policy.name}' keeps back for the last "
            f"{'scan' if scans == 1 else f'{scans} scans'} of the series ({listed}): say "
            "'last_scan: true' if this is the last, or give it less"
        )

    def colour(self, scan_seconds: float | None = None) -> Colour:
        """Green, amber or red."""
        one = None
        if scan_seconds is not None:
            one = {name: rate * scan_seconds for name, rate in self.rate_Gy_s.items()}
        return colour(self.policy, self.taken_Gy, one)

    @property
    def amber(self) -> str:
        """What to say of an amber or red sample; empty for a green one."""
        if self.colour() == "green":
            return ""
        said = [
            f"{limit.material_class} {self.taken_Gy.get(limit.material_class, 0.0):.4g} Gy of "
            f"{limit.dose_Gy:.4g} Gy"
            for limit in self.policy.limits
            if limit.dose_Gy is not None
            and self.taken_Gy.get(limit.material_class, 0.0)
            >= self.policy.amber_part * limit.dose_Gy
        ]
        return f"'{self.sample}' is {self.colour()}: {', '.join(said)}"
