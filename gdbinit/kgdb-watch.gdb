# SPDX-License-Identifier: GPL-2.0-only
#
# What gdb needs to watch a kernel's memory through KGDB.  gdb 13 or later,
# gdb-multiarch where host and target differ:
#
#	gdb-multiarch vmlinux -x kgdb-watch.gdb
#	(gdb) kgdb-connect /dev/ttyUSB0
#	(gdb) watch panic_timeout
#	(gdb) continue
#
# `help kgdb-connect' and `help kgdb-scripts' tell more.  Nothing here depends
# on the architecture.

# Slots: let the kernel count them, for every architecture the same.  gdb counts
# badly: with a limit set it refuses `watch' and `rwatch' side by side ("There
# are not enough available hardware resources"), and turns the first `watch' past
# the limit into a software watchpoint, which single-steps the whole kernel.
# Without one, gdb says "Could not insert hardware watchpoint 5." when it resumes
# the kernel, nothing is resumed, and `delete 5' puts it right; the reason stands
# in the kernel log.  Breakpoints share the slots of watchpoints on x86, so a
# limit of their own would be wrong as well.
set remote hardware-watchpoint-limit unlimited
set remote hardware-breakpoint-limit unlimited

# Bytes: likewise, the kernel knows which regions its slots can cover.
set remote hardware-watchpoint-length-limit unlimited

# This is gdb's default.  Were it 0, say from ~/.gdbinit, `watch' would step the
# kernel instruction by instruction.
set can-use-hw-watchpoints 1

# KGDB stops all CPUs together and knows nothing else.  (gdb's default as well.)
set non-stop off

# A stopped kernel answers at once, but the default of 2 seconds is not enough
# for a busy host that runs the target in an emulator, or for a slow line.  When
# it expires gdb asks again, and takes the late answer for that of its next
# question.  5 seconds is what a packet that was truly lost then costs.
set remotetimeout 5

# KGDB's usual line.  For serial devices only; sockets have no baud rate.
set serial baud 115200

# What Ctrl-C sends to a running kernel.  Nobody in a running kernel listens for
# gdb's own Ctrl-C; BREAK and `g' is SysRq-g, which enters KGDB where the line is
# also a console (over TCP, gdb sends telnet's BREAK).  On a line that is KGDB's
# alone there is no way in from this end: `echo g > /proc/sysrq-trigger' on the
# target does it.
set remote interrupt-sequence BREAK-g

# Python, because a command written in gdb's own language cannot end in an error.
python

import os.path
import sys

import gdb


class KgdbScripts(gdb.Command):
    """Load the kernel's own gdb commands (lx-dmesg, lx-ps, $lx_current(), ...).

Usage: kgdb-scripts

Runs vmlinux-gdb.py, which lies beside vmlinux when the kernel was built with
CONFIG_GDB_SCRIPTS.  It does nothing when it has been run already, and when the
file is not there it says so.  kgdb-connect does this by itself."""

    def __init__(self):
        super().__init__("kgdb-scripts", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError("kgdb-scripts: takes no argument")
        print(self.load())

    @staticmethod
    def load():
        """Run vmlinux-gdb.py if there is one; return what came of it, for the user to read."""
        vmlinux = gdb.current_progspace().filename
        if vmlinux is None:
            raise gdb.GdbError("No vmlinux is loaded: `file /path/to/vmlinux' first.")
        # gdb has run it already where its auto-load safe-path allows that.
        if "linux.utils" in sys.modules:
            return "The kernel's gdb scripts are loaded."
        # vmlinux may be a link out of the directory that has the scripts, or into it.
        for directory in (os.path.dirname(vmlinux), os.path.dirname(os.path.realpath(vmlinux))):
            script = os.path.join(directory, "vmlinux-gdb.py")
            if os.path.exists(script):
                break
        else:
            return f"No gdb scripts of the kernel: there is no vmlinux-gdb.py beside {vmlinux}."
        try:
            gdb.execute(f"source {script}", to_string=True)
        except gdb.error as error:
            return f"No gdb scripts of the kernel: {script}: {error}"
        # It catches some of its own errors, prints them and returns.
        if "linux.utils" not in sys.modules:
            return f"No gdb scripts of the kernel: {script} did not load; `source' it to see why."
        return f"Loaded {script}."


class KgdbConnect(gdb.Command):
    """Connect to a kernel that is stopped in KGDB.

Usage: kgdb-connect TARGET

TARGET is a serial device (/dev/ttyUSB0; see `show serial'), a HOST:PORT, or the
path of a unix socket.  Load vmlinux first (`file').

The kernel has to wait in KGDB: booted with kgdbwait, or sent there by
`echo g > /proc/sysrq-trigger' on the target.  If it does not, gdb gives up
after 14 times `show remotetimeout', or at Ctrl-C.

Where KASLR has moved the kernel, the symbols follow it, provided that it stopped in
kgdb_breakpoint(), as both of these do.  (Those of per-CPU variables are then wrong
before Linux 6.15, where they are offsets: boot with nokaslr for these.)

Ends in a warning when the running kernel is not the one vmlinux belongs to."""

    def __init__(self):
        super().__init__("kgdb-connect", gdb.COMMAND_RUNNING, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        arguments = gdb.string_to_argv(argument)
        if len(arguments) != 1:
            raise gdb.GdbError("Usage: kgdb-connect TARGET, where TARGET is a serial device, "
                               "HOST:PORT or the path of a unix socket.")
        target = arguments[0]
        if gdb.current_progspace().filename is None:
            raise gdb.GdbError("No vmlinux is loaded: `file /path/to/vmlinux' first.")
        if gdb.selected_inferior().connection is not None:
            raise gdb.GdbError("Already connected: `detach' (the kernel goes on) or `disconnect' "
                               "(it stays stopped) first.")
        expected = self.banner(512)
        if expected is None:
            raise gdb.GdbError(f"{gdb.current_progspace().filename} is no vmlinux with symbols: "
                               "it has no linux_banner.")

        print(KgdbScripts.load())
        print(f"Connecting to {target}; the kernel has to be in KGDB.  Ctrl-C gives up.")
        gdb.flush()
        try:
            gdb.execute(f"target remote {target}", from_tty)
        except gdb.error as error:
            raise gdb.GdbError(f"Not connected: {error}") from None

        found = self.banner(len(expected))
        if found != expected and self.relocate(expected):
            found = self.banner(len(expected))
        if found == expected:
            print(f"Connected to {target}: {found}")
        else:
            print(f"Connected to {target}.")
            print("warning: this vmlinux is not the kernel that runs, or KASLR has moved that and it did\n"
                  "not stop in kgdb_breakpoint(), which would tell how far.\n"
                  f"  vmlinux: {expected}\n"
                  f"  running: {'(nothing readable there)' if found is None else found}")

    @classmethod
    def relocate(cls, expected):
        """Move the symbols of vmlinux to where KASLR has put the kernel; whether it is there.

        A kernel that asked for the debugger tells by its PC, which is behind the int3 of
        kgdb_breakpoint(), one byte.  What is found there has to be the kernel `expected`."""
        try:
            moved = int(gdb.parse_and_eval("(long)$pc - 1 - (long)&kgdb_breakpoint_ip"))
        except gdb.error:   # no x86, or not our patches
            return False
        if moved == 0 or cls.banner(len(expected), moved) != expected:
            return False
        gdb.execute(f"symbol-file -o {moved:#x} '{gdb.current_progspace().filename}'", to_string=True)
        print(f"KASLR has moved the kernel by {moved:#x}, and so are the symbols of vmlinux now.")
        gdb.execute("frame")
        return True

    @staticmethod
    def banner(length, moved=0):
        """Up to `length` characters of the kernel's version line, None if there is none.

        From vmlinux, or from the kernel's memory once connected, `moved` from where vmlinux
        says it is."""
        try:
            text = gdb.parse_and_eval(f"(const char *)((long)&linux_banner + {moved})").string(
                "ascii", "replace", length=length)
        except gdb.error:
            return None
        text = text.partition("\0")[0].partition("\n")[0]
        return text if text.startswith("Linux version ") else None


KgdbScripts()
KgdbConnect()

end
