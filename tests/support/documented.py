"""The command lines in README.md and docs, why some are not run, and what makes the others short."""

import re

from conftest import ROOT

PROGRAMS = ("byhand", "python", "make", "pip", "torchrun", "srun", "exec", "tensorboard")
LINE = re.compile(rf"(?:{'|'.join(PROGRAMS)}) .*")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NOT_SHELL = ("python", "yaml", "json", "text", "cpp", "c")

# What is not run from an installed wheel, and why.
NOT_RUN = {
    r"byhand \w+( --certify)?( \.\.\.)?$(?<!doctor)(?<!configs)": "the name of a command",
    r"make ": "needs a clone",
    r"python (-m )?(LSTM\.py|tools|tests|benchmarks|experiments)": "needs a clone",
    r"pip install ": "needs the network",
    r"tensorboard ": "is another's, and serves until Ctrl-C",
    r"torchrun |.*--trainer\.strategy ddp": "several processes: test_two_processes.py",
    r"srun |exec ": "needs a batch system",
    r"byhand study run study\.yaml": "as that of docs/studies.md",
    r"byhand zoo make": "trains for minutes: test_zoo_command.py",
    r"python -m http\.server": "is Python's own, and serves until Ctrl-C",
}

# In place of what a page leaves open.
OPEN = {
    "CHECKPOINT": "runs/adding/version_0/checkpoints/best.ckpt",
    "--data.path FILE --data.target COLUMN": "--data.path sales.csv --data.target sales",
    "--data.path FILE": "--data.path book.txt",
    "--node NAME": "--node layer_LSTM",
}

# What makes a command short, or end; appended to it.
FIT = "--trainer.limit_train_batches 2 --trainer.limit_val_batches 1"
SHORT = {
    r"byhand fit --config \w+( |$)": f"--quick {FIT} --trainer.max_epochs 1",
    r"byhand fit .*last\.ckpt": f"{FIT} --trainer.max_epochs 2",
    r"byhand fit --config runs/\S+ --fine_tune": f"{FIT} --trainer.max_epochs 1",
    r"byhand fit .*--config text|byhand fit --config text": "--trainer.val_check_interval 1",
    r"byhand test ": "--trainer.limit_test_batches 1",
    r"byhand predict (?!.*future)": "--trainer.limit_predict_batches 1",
    r"byhand explore (?!.*--save)": "--save page.html",
    r"byhand play (?!.*--save)": "--save page.html",
    r"byhand study run ": "--workers 1",
    r"byhand bench (?!--help)": "--quick --rounds 1 --threads 1",
}
# What a page takes to have been done before.
BEFORE = {
    "README.md": ["byhand fit --config adding"],
    "docs/explorer.md": ["byhand fit --config companies"],
}


def pages() -> list[str]:
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


def commands(page: str) -> list[str]:
    """All command lines of a page: in blocks, indented, or in the text between backticks; in their order, without comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found: list[tuple[int, str]] = []
    for block in FENCED.finditer(text):
        if block[1] not in NOT_SHELL:
            found += [(block.start(), line.strip()) for line in block[2].splitlines()]
    text = FENCED.sub(lambda block: " " * len(block[0]), text)  # what stands behind stays where it is
    found += [(line.start(), line[1]) for line in re.finditer(r"^    +(.*)$", text, re.MULTILINE)]
    found += [(code.start(), " ".join(code[1].split())) for code in re.finditer(r"`([^`]+)`", text)]
    lines = [line.partition("  #")[0].partition(" # ")[0].strip() for _, line in sorted(found, key=lambda one: one[0])]
    return list(dict.fromkeys(line for line in lines if LINE.fullmatch(line)))


def reason(command: str) -> str | None:
    """Why a command is not run; None for one that is."""
    return next((why for what, why in NOT_RUN.items() if re.match(what, command)), None)


def runnable(page: str) -> list[str]:
    """What is run of a page, in its order, made short."""
    return [shortened(line) for line in (*BEFORE.get(page, []), *commands(page)) if reason(line) is None]


def shortened(command: str) -> str:
    for gap, filled in OPEN.items():
        command = command.replace(gap, filled)
    return " ".join([command, *(words for what, words in SHORT.items() if re.match(what, command))])
