# SPDX-License-Identifier: Apache-2.0
"""Ends and starts the gateway of a lab whose path outlives it (`pinned: true`)."""
import os
import shutil
import signal
import subprocess

import harness
from harness import expect, wait_for


def leave_no_pins(lab):
    lab.resources.callback(shutil.rmtree, f"/sys/fs/bpf/sluice/{lab.name}", ignore_errors=True)


def kill(lab):
    """The daemon that runs now."""
    if lab.daemon:
        lab.daemon.kill()
        lab.daemon.wait()
    else:
        pid = lab.pid("gateway")
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: not harness.runs(pid))


def start(lab):
    """sluiced again, in its namespace; returns when it answers."""
    with lab.inside("gateway"):
        daemon = subprocess.Popen([harness.BIN / "sluiced", "--config", lab.config],
                                  stderr=(lab.run_folder / "logs" / "again.log").open("a"))
    lab.resources.callback(end, daemon)

    def answers():
        expect("sluiced runs", daemon.poll(), None)
        return lab.answers()
    wait_for("the daemon's answer", answers)
    lab.daemon = daemon


def end(daemon):
    if daemon.poll() is None:
        daemon.terminate()
        daemon.wait(harness.PATIENCE_S)
