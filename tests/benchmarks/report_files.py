"""A small folder of results, for the tests of the report."""

import json

import numpy as np

TAGS = np.array(["<b>&", "sky", "sea|x"])
IDS = np.array(["a.jpg", "b.jpg", "c.jpg"])
TRUTH = np.array([[1, 0, 1], [0, 1, 0], [0, 1, 1]], dtype=bool)
GOOD = np.where(TRUTH, 0.9, 0.1).astype(np.float32)
POOR = np.array([[0.9, 0.8, 0.1], [0.9, 0.2, 0.3], [0.7, 0.6, 0.1]], dtype=np.float32)


def line(method, scores=None, **changes):
    measures = changes.pop("measures", {"map": (0.5, 0.4, 0.6, 3)})
    content = {
        "case": method,
        "suite": "toy",
        "dataset": "corel5k",
        "method": method,
        "params": {},
        "seed": 0,
        "measures": {
            name: {"value": value, "low": low, "high": high, "n": n}
            for name, (value, low, high, n) in measures.items()
        },
        "scores": scores,
        "n_images": 3,
        "n_labels": 3,
        "fit_seconds": 0.5,
        "predict_seconds": 1.25,
        "peak_rss_mb": 1200.4,
        "versions": {"numpy": "2.4"},
    }
    return content | changes


def write_scores(folder, name, scores, truth=TRUTH, tags=TAGS, image_ids=IDS):
    np.savez(folder / name, scores=scores, truth=truth, tags=tags, image_ids=image_ids)
    return name


def write_lines(folder, *lines):
    text = "".join(json.dumps(content) + "\n" for content in lines)
    (folder / "results.jsonl").write_text(text, encoding="utf-8")
