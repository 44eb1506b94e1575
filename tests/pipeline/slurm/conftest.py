"""A SLURM cluster of this one machine, started and stopped by the tests: two made-up GPUs, two partitions."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
}
SITE = (
    "--jobs", "6", "--preemptible-retries", "6",
    # There is no accounting database.
    "--slurm-status-command", "squeue",
    # Nor a shared disk whose files come late; and jobs take seconds.
    "--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "2",
)  # fmt: skip
"""What the profile asks each cluster to set, for this one."""

ETC = Path("/etc/slurm")
"""Where SLURM looks for its configuration: the jobs have no variable that names another place."""
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
PACKAGES = "slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge"

# More CPUs and memory than there are, so that jobs can ask for what the profile asks for. Memory is watched each
# second; between SIGTERM and SIGKILL are 10 seconds, where SLURM's default is 30.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,bf_interval=2
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
ReturnToService=2
MinJobAge=600
KillWait=10
OverTimeLimit=0
JobRequeue=1
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=200000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""


@dataclass
class Cluster:
    """The daemons, and what they were told.

    Attributes:
        folder: of their sockets, states and logs.
        daemons: the running ones by name.
    """

    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen([name, *arguments], stdout=log, stderr=log, start_new_session=True)

    def stop(self, name: str) -> None:
        if daemon := self.daemons.pop(name, None):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def start_controller(self) -> None:
        """Start slurmctld and wait for its answer and for the node."""
        self.start("slurmctld", "-D")
        deadline = time.monotonic() + 60
        while "idle" not in (states := ask("sinfo", "-h", "-o", "%T")) and "mix" not in states:
            if time.monotonic() > deadline or self.daemons["slurmctld"].poll() is not None:
                logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log"))
                raise RuntimeError(f"SLURM does not start: {states}\n{logs}")
            time.sleep(0.2)


class Run:
    """Snakemake in a folder of its own, at a scale whose results lie there. Without GPUs it computes on the CPU.

    Attributes:
        folder: where it runs.
        results: the results.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder, self.results = folder, folder / "results"
        self.started: list[subprocess.Popen[bytes]] = []
        folder.mkdir()
        (folder / "scale.yaml").write_text(yaml.safe_dump(config | {"results": "results", "gpus": "optional"}))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake; what it says is added to :attr:`told`."""
        with (self.folder / "told").open("ab") as told:
            process = subprocess.Popen(
                [
                    "timeout", "-k", "10", "900", sys.executable, "-m", "snakemake", "--nocolor",
                    "--snakefile", str(ROOT / "Snakefile"), *arguments, "--configfile", "scale.yaml",
                ],
                stdout=told, stderr=told, cwd=self.folder, env=ENVIRONMENT, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def kill(self) -> None:
        """End what was started and still runs, and wait for it."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def submit(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it through the profile of the repository."""
        return self.start("--workflow-profile", str(ROOT / "profiles/slurm"), *SITE, *arguments)

    def here(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it without a cluster."""
        return self.start("--workflow-profile", str(ROOT / "profiles/default"), "--cores", "2", *arguments)

    @property
    def told(self) -> str:
        return (self.folder / "told").read_text()

    def paths(self, *names: str) -> list[str]:
        return [f"results/{name}" for name in names]

    def hashes(self) -> dict[str, str]:
        """Of everything that must be the same wherever it is made."""
        endings = (".npy", ".npz", ".csv", ".parquet", ".safetensors", ".png", ".webp", ".md", ".tex")
        return {
            str(path.relative_to(self.results)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.results.rglob("*"))
            if path.suffix in endings and not {"state", "logs"} & set(path.relative_to(self.results).parts)
        }


def wait_for(condition: Callable[[], Any], seconds: float, process: subprocess.Popen[bytes] | None = None) -> Any:
    """What the condition gives as soon as it holds; the process must not end before."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.2)
    return found


def ask(*words: str) -> str:
    """What a client of SLURM answers, or nothing."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout


def obstacle() -> str | None:
    """Why no cluster can be started here."""
    if os.geteuid() != 0:
        return "only root can start a cluster"
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(missing)} missing (apt-get install {PACKAGES})"
    if any((ETC / name).exists() for name in ("slurm.conf", "gres.conf")):
        return f"{ETC} holds a configuration, which is not touched"
    return None


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """A running cluster. Nothing of it is left: where clients find a configuration but no controller, all waits."""
    if reason := obstacle():
        pytest.skip(f"NO SLURM IS TESTED: {reason}")
    folder = tmp_path_factory.mktemp("cluster")
    running, links = Cluster(folder), [ETC / name for name in ("slurm.conf", "gres.conf")]
    host = socket.gethostname().partition(".")[0]
    controller_port, node_port = free_ports(2)
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(host=host, folder=folder, controller_port=controller_port, node_port=node_port)
    )
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File={folder}/fakegpu[0-1]\n")
    for number in range(2):
        os.mknod(folder / f"fakegpu{number}", 0o20666, os.makedev(1, 3))  # what /dev/null is
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    ETC.mkdir(exist_ok=True)
    try:
        for link in links:
            link.symlink_to(folder / link.name)
        running.start(
            "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key",
            f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed", f"--log-file={folder}/munge.log",
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not (folder / "munge.socket").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        running.start("slurmd", "-D")
        running.start_controller()
        yield running
        ask("scancel", "--user", "root")
        deadline = time.monotonic() + 30
        while ask("squeue", "-h") and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        for name in ("slurmctld", "slurmd", "munged"):
            running.stop(name)
        for link in links:
            link.unlink(missing_ok=True)


@pytest.fixture
def new_run(tmp_path) -> Iterator[Callable[[str, dict[str, Any]], Run]]:
    """Make a run of this name, at a scale."""
    runs: list[Run] = []

    def make(name: str, config: dict[str, Any]) -> Run:
        runs.append(Run(tmp_path / name, config))
        return runs[-1]

    yield make
    for run in runs:
        run.kill()


@pytest.fixture(scope="session")
def slurm() -> Any:
    """What tests take from here, as they cannot import it."""
    return SimpleNamespace(ask=ask, wait_for=wait_for)


@pytest.fixture(scope="session")
def smoke() -> dict[str, Any]:
    """The values of the smoke scale."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    return values
