# SPDX-License-Identifier: GPL-2.0-only
"""Builds what the series touches: in many configurations, and after each of its steps."""

from __future__ import annotations

import re

from kgdbrig.judging import direction
from kgdbrig.judging.check import entry
from kgdbrig.judging.check.bench import Bench, Made
from kgdbrig.judging.check.report import Report, failure, program
from kgdbrig.kernels import overlay, series
from kgdbrig.kernels.overlay import Overlay

#: Configurations the series must build in without a warning, on every version: what each changes.
OF_EACH_VERSION: dict[str, dict[str, str]] = {
    "KGDB_WATCHPOINT=n": {"KGDB_WATCHPOINT": "n"},
    # which version calls them what, entry.py knows
    "every mitigation": {"CPU_MITIGATIONS": "y"},
}
#: Those that differ too little from version to version.
OF_ONE_VERSION: dict[str, dict[str, str]] = {
    "KGDB_KDB=n": {"KGDB_KDB": "n"},
    "SMP=n": {"SMP": "n", "HOTPLUG_CPU": "n", "NR_CPUS": "1", "HARDLOCKUP_DETECTOR_PREFER_BUDDY": "n"},
    # x86 selects PERF_EVENTS: what is left is the core and the breakpoints
    "PERF_EVENTS at its minimum": {"PERF_EVENTS_INTEL_UNCORE": "n", "PERF_EVENTS_INTEL_RAPL": "n",
                                   "PERF_EVENTS_INTEL_CSTATE": "n", "KPROBE_EVENTS": "n", "KPROBES": "n",
                                   "KGDB_HONOUR_BLOCKLIST": "n", "FUNCTION_TRACER": "n", "DYNAMIC_FTRACE": "n",
                                   "FTRACE": "n", "MMIOTRACE": "n"},
    "PREEMPT=y": {"PREEMPT": "y"},
}


def build_variants(bench: Bench, variants: dict[str, dict[str, str]], report: Report) -> None:
    for variant, changes in variants.items():
        _build_variant(bench, variant, changes, report)


def _build_variant(bench: Bench, variant: str, changes: dict[str, str], report: Report) -> None:
    mitigated = "CPU_MITIGATIONS" in changes
    settings = entry.settings(bench.version) if mitigated else changes
    # Without the option, what depends on it must not be asked for either: as for a stock kernel.
    made = bench.made({**settings, "WERROR": "y"}, stock=settings.get("KGDB_WATCHPOINT") == "n",
                      more=entry.MORE if mitigated else ())
    worked, said = made.run()
    findings = [] if worked else [failure(said)]
    findings += [line for line in said.splitlines() if "warning:" in line and worked]
    findings += _unresolved(bench, made)
    if worked and mitigated and bench.arch.name == "x86_64":
        findings += entry.touched(made.objects(), bench.tree)
    report.result(f"builds with -Werror: {variant}", findings, f"{len(made.objects())} objects")


def calls(bench: Bench, made: Made, report: Report) -> None:
    """Who calls whom in objects that are built in the rig's configuration: in the stated order, and nobody that is not there."""
    findings = _unresolved(bench, made)
    if bench.arch.name == "x86_64":
        findings += direction.bad_calls(made.objects())
    report.result("each file of the series calls those below it, and nothing that is not built", findings,
                  f"{len(made.objects())} objects")


def _unresolved(bench: Bench, made: Made) -> list[str]:
    """Functions of the new files that an object needs and none provides: no whole kernel is linked here."""
    source_text = b"\n".join(content for name, content in bench.laid.files.items() if name.endswith(".c")).decode()
    ours = set(re.findall(r"^[a-z][\w *]*?\b(kgdb_\w+)\(", source_text, re.MULTILINE))
    needed: dict[str, str] = {}
    provided: set[str] = set()
    for path in made.objects():
        listed = program(["nm", str(path)], bench.tree, "binutils").stdout
        for kind, name in re.findall(r"^[0-9a-f ]+ (\w) (\S+)$", listed, re.MULTILINE):
            if kind == "U":
                needed.setdefault(name, path.name)
            else:
                provided.add(name)
    return [f"{needed[name]} needs {name}, which is not built" for name in sorted(set(needed) & ours - provided)]


def build_steps(bench: Bench, report: Report) -> None:
    prefixes = series.prefixes(bench.version, bench.laid)
    try:
        for number, (step, laid) in enumerate(prefixes, 1):
            bench.lay(laid)
            # Configured as a stock kernel: the option is not there until late, and then on by default.
            made = bench.made({"WERROR": "y"}, stock=True,
                              configured=number > 1 and not any("Kconfig" in name for name in _touched(step)))
            worked, said = made.run(again=number == 1)
            report.result(f"step {number}/{len(prefixes)} builds: {step.message.subject}",
                          [] if worked else [failure(said)])
    finally:
        bench.lay(bench.laid)


def _touched(step: series.Step) -> list[str]:
    hooks = (step.hook,) if step.hook is not None else ()
    return [*step.files, *overlay.touched(Overlay({}, hooks))]
