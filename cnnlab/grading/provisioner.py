"""Kernels in a place of their own: what jupyter_client asks to start one and to end it."""

import json
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from cnnlab.grading.isolation import BWRAP, Place, Tier


class IsolatedProvisioner(LocalProvisioner):
    """Starts the kernel in a place of this tier; its sockets lie in the place's own folder.

    In bwrap no folder of this machine can be written to, so that folder exists only inside. The
    grader reaches it through /proc.
    """

    parent: Any
    process: Any

    def __init__(self, tier: Tier, **kwargs: Any):
        super().__init__(**kwargs)
        self._stack = ExitStack()
        self._place = self._stack.enter_context(Place.of(tier))

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        self.parent.transport = "ipc"
        # A name that nothing else has: what is left of it is looked for after the kernel's end.
        self.parent.ip = f"{self._place.folder}/{self.kernel_id}"
        if self._place.tier.name != BWRAP.name:
            self.parent.connection_file = f"{self._place.folder}/kernel.json"
        kwargs = await super().pre_launch(**kwargs)
        return kwargs | {"env": self._place.environment(), "cwd": "/"}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        if self._place.tier.name != BWRAP.name:
            Path(self.parent.connection_file).chmod(0o644)  # its folder is the kernel's alone
            return await super().launch_kernel(self._place.command(cmd), **kwargs)
        # It holds the inside's name of the sockets, and is about to be replaced by the outside's.
        written = os.open(self.parent.connection_file, os.O_RDONLY)
        read, write = os.pipe()
        try:
            command = self._place.command(cmd, file=(written, self.parent.connection_file))
            command[1:1] = ["--info-fd", str(write)]
            info = await super().launch_kernel(command, pass_fds=(written, write), **kwargs)
        finally:
            os.close(write)
            os.close(written)
        with os.fdopen(read, encoding="utf-8") as answer:
            root = f"/proc/{json.load(answer)['child-pid']}/root"
        return info | {"ip": f"{root}{self.parent.ip}"}

    async def kill(self, restart: bool = False) -> None:
        """At once, and for good: a kernel that stopped itself cannot put it off."""
        await self.send_signal(signal.SIGKILL)
        self.process.wait()

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart)
        self._stack.close()
