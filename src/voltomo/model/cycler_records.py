"""Names of the records that a cycler's server has behind its prefix. Pure."""

from __future__ import annotations

from collections.abc import Mapping

READBACKS: Mapping[str, str] = {
    "voltage": "Voltage",
    "current": "Current",
    "power": "Power",
    "charge": "Charge",
    "charge_step": "ChargeStep",
    "charge_in": "ChargeIn",
    "charge_out": "ChargeOut",
    "energy": "Energy",
    "soc": "SOC",
    "soc_sigma": "SOC_Sigma",
    "temperature": "Temperature",
    "step": "Step",
    "cycle": "Cycle",
    "mode": "Mode",
    "test_time": "TestTime",
    "step_time": "StepTime",
    "data_time": "DataTime",
    "data_number": "DataNumber",
}
"""One row of readings; ``DataTime`` is written last but one, ``DataNumber`` last."""

STATES: Mapping[str, str] = {
    "state": "State",
    "last_error": "LastError",
    "refusals": "Refusals",
    "digest": "Digest_RBV",
    "poll_period": "PollPeriod_RBV",
    "time_scale": "TimeScale_RBV",
}

LIMITS: Mapping[str, str] = {
    "min_voltage_V": "MinVoltage_RBV",
    "max_voltage_V": "MaxVoltage_RBV",
    "max_charge_current_A": "MaxChargeCurrent_RBV",
    "max_discharge_current_A": "MaxDischargeCurrent_RBV",
    "min_temperature_C": "MinTemperature_RBV",
    "max_temperature_C": "MaxTemperature_RBV",
    "max_charge_Ah": "MaxCharge_RBV",
}
"""What the instrument holds the cell to, by the names of `CellLimits`."""

COMMANDS: Mapping[str, str] = {
    "load_command": "Load",
    "load_reply": "LoadReply",
    "start_command": "Start",
    "pause_command": "Pause",
    "resume_command": "Resume",
    "next_command": "Next",
    "stop_command": "Stop",
    "reset_command": "Reset",
    "watchdog": "Watchdog",
    "watchdog_time": "WatchdogTime",
}

CYCLER_RECORDS: Mapping[str, str] = {**READBACKS, **STATES, **LIMITS, **COMMANDS}
"""All of them, by the names that a beamline file may give them other PVs by."""
