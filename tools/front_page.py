"""The result on the front page: bars drawn from records, so that no number is typed there."""

import json
from pathlib import Path
from typing import Any

PLACE = "<!-- a result -->\n"
RECORDS = {"baseline": "dann-mnist-mnistm-source-only", "method": "dann-mnist-mnistm"}
LABELS = {"baseline": "trained on MNIST alone", "method": "DANN, no label of MNIST-M"}


def result(results: Path) -> str:
    """HTML of one bar a record, with a mark where the paper stands; all on one line a bar, as Markdown wants it.

    Args:
        results: the folder of the records.
    """
    files = {role: results / f"{name}.json" for role, name in RECORDS.items()}
    records = {role: json.loads(file.read_text(encoding="utf-8")) for role, file in files.items()}
    bars = "".join(_bar(role, record) for role, record in records.items())
    seeds = min(len(record["seeds"]) for record in records.values())
    note = f"Share of MNIST-M's test images read right, mean of {seeds} seeds. The upright mark is the paper's number."
    return f'<div class="bars">\n{bars}<p class="note">{note}</p>\n</div>\n'


def _bar(role: str, record: dict[str, Any]) -> str:
    value, paper = record["mean"], record["experiment"]["published"]["value"]
    return (
        f'<div class="bar {role}" style="--value: {value:.3f}; --paper: {paper:.3f}"><span>{LABELS[role]}</span>'
        f'<b>{value:.2f}</b><i aria-hidden="true"></i><small>paper: {paper:.2f}</small></div>\n'
    )
