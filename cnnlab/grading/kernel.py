"""The kernel that runs a submission, as nbval sees it: nothing it sends can harm the grader."""

import os
import secrets
import subprocess
import time
from collections import deque
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.manager import KernelManager
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager, RunningKernel

from cnnlab.grading.isolation import Tier
from cnnlab.grading.provisioner import IsolatedProvisioner

SLICE = 0.25  # seconds between two looks at whether the kernel still lives
MOST_OUTPUT = 10_000_000  # bytes of one cell
# Folders from which a kernel reads settings of the user's, or programs to run at its start.
SETTINGS = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR")


class KernelDiedError(RuntimeError):
    """The kernel's process ended while it was running a cell."""


class FloodError(RuntimeError):
    """A cell sent more than is read, or what cannot be read."""


class GradingKernel(RunningKernel):
    """nbval's kernel, that notices within a moment when it dies.

    `deadline` is when a cell must have ended, its output included: a cell that never stops
    printing would else never be out of time.
    """

    deadline = float("inf")

    def __init__(self, *, folder: str, startup_timeout: float, tier: Tier):
        self.km = self._manager(tier, folder)
        self.kc = self.km.client()
        self.kc.start_channels(stdin=False, hb=False)
        self._waiting: dict[str, deque] = {"shell": deque(), "iopub": deque()}
        self._received = 0
        self._poller = zmq.Poller()
        self._sockets = {
            self.kc.shell_channel.socket: "shell",
            self.kc.iopub_channel.socket: "iopub",
        }
        for socket in self._sockets:
            self._poller.register(socket, zmq.POLLIN)
            self._poller.register(socket.get_monitor_socket(zmq.EVENT_DISCONNECTED), zmq.POLLIN)
        try:
            self._wait_until_ready(startup_timeout)
            # In a notebook these end the kernel a moment later, in the middle of another cell. A
            # line that starts with one of their names is taken for a call of it.
            self.run("globals().update(exit=None, quit=None)", startup_timeout)
        except BaseException:
            self.stop()
            raise

    def _manager(self, tier: Tier, folder: str) -> Any:
        """A manager whose kernel has been started."""
        # Nothing larger is ever held in memory: whoever sends it is cut off.
        context = zmq.Context()
        context.setsockopt(zmq.MAXMSGSIZE, MOST_OUTPUT)
        manager: Any = KernelManager(
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            kernel_spec_manager=NbvalKernelspecManager(),
            connection_file=str(Path(folder, "kernel.json")),
            context=context,
        )
        if tier.closes:
            manager.kernel_id = secrets.token_hex(8)
            manager.provisioner = IsolatedProvisioner(
                tier,
                kernel_id=manager.kernel_id,
                kernel_spec=manager.kernel_spec,
                parent=manager,
            )
            # A signal from outside does not reach it.
            manager.kernel_spec.interrupt_mode = "message"
        settings = dict.fromkeys(SETTINGS, str(Path(folder, "settings")))
        manager.start_kernel(
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=os.environ | settings,
        )
        return manager

    def _wait_until_ready(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            msg_id = self.kc.kernel_info()
            self.await_reply(msg_id, end - time.monotonic())
            try:
                self.await_idle(msg_id, SLICE)
                return
            except Empty:  # the channel for output was not open yet
                if time.monotonic() > end:
                    raise

    def execute_cell_input(self, cell_input, allow_stdin=None):
        self._received = 0
        return super().execute_cell_input(cell_input, allow_stdin)

    def get_message(self, stream, timeout=None):
        """The next message; what comes meanwhile on the other channel is kept, and counted."""
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while not self._waiting[stream]:
            now = time.monotonic()
            if now >= min(self.deadline, end):
                raise Empty
            ready = self._poller.poll(int(1000 * min(SLICE, self.deadline - now, end - now)))
            for socket, _ in ready:
                self._receive(socket)
            if not ready and not self.is_alive():
                raise KernelDiedError("the kernel died")
        return self._waiting[stream].popleft()

    def _receive(self, socket) -> None:
        if socket not in self._sockets:
            self._explain_cut()
        frames = socket.recv_multipart()
        self._received += sum(map(len, frames))
        if self._received > MOST_OUTPUT:
            raise FloodError(f"more than {MOST_OUTPUT / 1e6:g} MB of output")
        session = self.kc.session
        try:
            message = session.deserialize(session.feed_identities(frames)[1])
        except Exception as error:  # whatever the code in the kernel has sent
            raise FloodError(f"output that cannot be read ({type(error).__name__})") from None
        self._waiting[self._sockets[socket]].append(message)

    def _explain_cut(self) -> None:
        """A channel ends with its kernel; while that lives, too much came at once."""
        try:
            self.km.provisioner.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            raise FloodError(f"more than {MOST_OUTPUT / 1e6:g} MB of output") from None
        raise KernelDiedError("the kernel died")

    def await_reply(self, msg_id, timeout=None):
        # nbval's own loop waits this long for each message; here it is for the whole reply.
        end = time.monotonic() + timeout
        while True:
            message = self.get_message("shell", timeout=max(0.0, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == msg_id:
                return

    def run(self, source: str, timeout: float) -> None:
        """Run a cell and let its output go; Empty if it takes too long."""
        self.deadline = time.monotonic() + timeout
        msg_id = self.execute_cell_input(source, allow_stdin=False)
        self.await_reply(msg_id, timeout)
        self.await_idle(msg_id, timeout)
        self.deadline = float("inf")

    def survives(self, source: str, seconds: float) -> bool:
        """Whether the kernel runs this and then still lives for so long, doing nothing."""
        end = time.monotonic() + seconds
        try:
            self.run(source, seconds)
            while True:
                self.get_message("iopub", timeout=max(0.0, end - time.monotonic()))
        except Empty:
            return True
        except (KernelDiedError, FloodError):
            return False

    def stop(self):
        """Also lets go of what a kernel that died has left behind."""
        if hasattr(self, "km"):
            for socket in self._sockets:
                socket.disable_monitor()
            super().stop()
