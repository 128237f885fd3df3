"""What a run prints of itself before it trains: hyperparameters, seed, machine, versions."""

import re
from collections import Counter

__all__ = ["Setup"]

MOST_NAMES = 2_000
MOST_GPUS = 1_000
LONGEST_VALUE = 500
SEED_NAMES = ("seed", "random_seed", "rng_seed")
IN_BLOCK = re.compile(r"\s+([A-Za-z_]\w*)\s*[:=]\s?(.*)$")
ALONE = re.compile(r"([A-Za-z_]\w*)\s?[:=]\s?(\S+)")
AMONG_OTHERS = re.compile(r"(?:^|(?<=[\s(,{]))([A-Za-z_]\w*)[:=]([^\s,)}]+)")
# `8xH100`, `NVIDIA H100 80GB HBM3`, `1x A100-SXM4`
GPU = re.compile(
    r"(?:(?<![\w.])\d{1,3} ?x ?)?(?:\b|(?<=[x ]))(?:(?:NVIDIA|AMD|Tesla|GeForce|Instinct) ?){0,2}"
    r"(?:RTX \w{4,5}|[HAB]\d00|L40S?|GH200|MI\d{3}X?|V100|T4)\b"
    r"(?:[ -](?:\d+ ?GB|HBM\d\w*|SXM\d?|PCIe|NVL|Ti|SUPER|Ada|Generation|Laptop|GPU)\b)*"
)
SMI_GPU = re.compile(r"\|\s+(\d+)\s+((?:NVIDIA|Tesla|GeForce|Quadro|AMD)[^|]*?)\s+(?:On|Off)\s+\|")


class Setup:
    """Takes the lines before the first step."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.seed: int | None = None
        self.gpus: dict[str, str] = {}  # by nvidia-smi's number
        self.gpu = ""
        self.in_block = False

    @property
    def world_size(self) -> int | None:
        text = self.values.get("world_size", "")
        return int(text) if re.fullmatch(r"\d{1,6}", text) else None

    @property
    def hardware(self) -> str:
        kinds = Counter(self.gpus.values())
        return ", ".join(f"{count}x {name}" for name, count in kinds.items()) or self.gpu

    def take_values(self, line: str) -> None:
        stripped = line.strip()
        if stripped.rstrip(":") == "Hyperparameters":
            self.in_block = True
            return
        if self.in_block and (match := IN_BLOCK.match(line)):
            self.keep(match[1], match[2])
            return
        self.in_block = False
        if match := ALONE.fullmatch(stripped):
            self.keep(match[1], match[2])
            return
        found = AMONG_OTHERS.findall(stripped)
        for name, value in found:
            if len(found) > 1 or name.lower() in ("seed", "world_size"):
                self.keep(name, value)

    def keep(self, name: str, value: str) -> None:
        value = value.strip()
        if name.startswith(("warmup_step", "loop_warmup_step")) and "/" in value:
            return
        if len(self.values) < MOST_NAMES:
            self.values[name] = value[:LONGEST_VALUE]
        if name.lower() in SEED_NAMES and value.isdigit():
            self.seed = int(value[:18])

    def take_hardware(self, line: str) -> None:
        if (row := SMI_GPU.search(line)) and len(self.gpus) < MOST_GPUS:
            self.gpus[row[1]] = row[2].strip()
        elif not self.gpu and not line.startswith(("|", "+")) and (name := GPU.search(line)):
            self.gpu = name[0].strip()
        elif re.search(r"\bdevice:cpu\b", line):
            self.gpu = self.gpu or "CPU"

    def take_versions(self, line: str) -> None:
        if match := re.match(r"Running (Python|PyTorch) (\S+)", line):
            self.versions[match[1].lower()] = match[2]
        for name, value in re.findall(r"\b(python|torch):(\S+)", line):
            self.versions["pytorch" if name == "torch" else name] = value
        for name, value in re.findall(r"(Driver Version|CUDA Version|NCCL version):? (\S+)", line):
            self.versions[name.partition(" ")[0].lower()] = value
