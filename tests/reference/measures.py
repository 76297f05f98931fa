"""Measures, written out literally from their definitions."""

import math


def ranking(scores, ids):
    """Positions by score, then by id, both descending, as trec_eval sorts."""
    return sorted(range(len(scores)), key=lambda i: (scores[i], ids[i]), reverse=True)


def average_precision(scores, relevant, ids):
    """None where nothing is relevant."""
    n_relevant = sum(map(bool, relevant))
    if not n_relevant:
        return None
    total, hits = 0.0, 0
    for rank, item in enumerate(ranking(scores, ids), start=1):
        if relevant[item]:
            hits += 1
            total += hits / rank
    return total / n_relevant


def ndcg(scores, grades, ids, cutoff):
    def dcg(ordered):
        return sum(
            (2**grade - 1) / math.log2(1 + rank)
            for rank, grade in enumerate(ordered[:cutoff], start=1)
        )

    ideal = dcg(sorted(grades, reverse=True))
    return dcg([grades[i] for i in ranking(scores, ids)]) / ideal if ideal else None


def emitted_top(scores, ids, n):
    """One set of tags a picture."""
    return [set(ranking(row, ids)[:n]) for row in scores]


def label_measures(emitted, truth, n_labels):
    """C-P, C-R, C-F1, I-P, I-R, I-F1, H-F1, N+ from sets of labels, Niu et al. (6), (7)."""
    precisions, recalls, n_recalled = [], [], 0
    for label in range(n_labels):
        n_true = sum(label in true for true in truth)
        n_emitted = sum(label in got for got in emitted)
        n_right = sum(label in true & got for true, got in zip(truth, emitted, strict=True))
        if not n_true:
            continue
        precisions.append(n_right / n_emitted if n_emitted else 0.0)
        recalls.append(n_right / n_true)
        n_recalled += n_right > 0
    c_p, c_r = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    right = sum(len(true & got) for true, got in zip(truth, emitted, strict=True))
    i_p = right / sum(map(len, emitted)) if any(emitted) else 0.0
    i_r = right / sum(map(len, truth))
    c_f1, i_f1 = harmonic(c_p, c_r), harmonic(i_p, i_r)
    return {
        "c-p": c_p,
        "c-r": c_r,
        "c-f1": c_f1,
        "i-p": i_p,
        "i-r": i_r,
        "i-f1": i_f1,
        "h-f1": harmonic(c_f1, i_f1),
        "n+": n_recalled,
    }


def harmonic(a, b):
    return 2 * a * b / (a + b) if a + b else 0.0


def mean(values):
    known = [value for value in values if value is not None]
    return sum(known) / len(known)
