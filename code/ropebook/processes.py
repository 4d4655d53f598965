"""Several processes that train one model: each draws the same batch, works on its share of the rows, and adds up gradients.

The processes are started by others: `torchrun --nproc-per-node 2 -m ropebook.train …` or `accelerate launch`. Both tell a process
its place in environment variables (RANK, LOCAL_RANK, WORLD_SIZE). Process 0, the leader, alone writes files and prints.
"""

import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

PATIENCE = timedelta(minutes=10)  # for the others, while the leader scores the model; a process that dies is noticed at once


class Lost(Exception):
    """Another process of the run is gone, or this one is told to go."""


@dataclass(frozen=True)
class Team:
    """The processes of a run, and this one's place among them."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self):
        return self.rank == 0

    def share(self, rows):
        """This process's rows of a batch (B, …): (B / size, …), in the order of the processes."""
        each = len(rows) // self.size
        return rows[self.rank * each : (self.rank + 1) * each]

    def add_up(self, tensors):
        """Put into each tensor, in place, its sum over all processes. They must have one dtype and one device.

        raises   Lost if another process is gone
        """
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with _noticing_loss():
            dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
            tensor.copy_(part.view_as(tensor))

    def from_leader(self, value):
        """What the leader has: `value` of process 0, in every process."""
        if self.size == 1:
            return value
        box = [value]
        with _noticing_loss():
            dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def together(self, act):
        """What `act()` returns. If it fails in any process, all stop: the leader with the error, the others in silence.

        raises   ValueError or OSError as `act` does; SystemExit in the others
        """
        if self.size == 1:
            return act()
        found = error = None
        try:
            found = act()
        except (ValueError, OSError) as caught:
            error = caught
        errors = [None] * self.size
        with _noticing_loss():
            dist.all_gather_object(errors, None if error is None else str(error))
        rank = next((rank for rank, message in enumerate(errors) if message is not None), None)
        if rank is None:
            return found
        if self.leads:
            raise ValueError(errors[rank] if rank == 0 else f"process {rank}: {errors[rank]}")
        raise SystemExit(2)


ALONE = Team()


@contextmanager
def team():
    """Join the other processes of the run, if there are any; a context manager that gives the `Team`."""
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size == 1:
        yield ALONE
        return
    signal.signal(signal.SIGTERM, _told_to_go)
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield Team(dist.get_rank(), size)
    except Lost:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # going already; without a goodbye, which would wait for the lost one
        raise
    dist.destroy_process_group()


def own_device(name):
    """The device's name for this process: of several processes on a machine, each takes a GPU of its own."""
    several = int(os.environ.get("WORLD_SIZE", 1)) > 1
    if several and (name == "cuda" or name == "auto" and torch.cuda.is_available()):
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return name


def _told_to_go(*_):
    raise Lost("told to stop (SIGTERM), as torchrun does when another process has ended")


@contextmanager
def _noticing_loss():
    try:
        yield
    except RuntimeError as error:  # gloo and nccl name the connection that broke
        raise Lost(f"another process of the run has ended or no longer answers ({str(error).split('. ')[0]})") from None
