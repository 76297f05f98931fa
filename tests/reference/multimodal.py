"""A joint head asked literally: number by number, from the arrays that it saves."""

from math import log

from tests.reference.heads import dense


def layers(arrays, prefix, n_layers):
    names = ("weights", "bias")
    weights, biases = (
        [arrays[f"{prefix}{name}_{i}"].astype(float).tolist() for i in range(n_layers)]
        for name in names
    )
    return weights, biases


def textual(arrays, carried):
    given = [1.0 if column in carried else 0.0 for column in arrays["input_tags"].tolist()]
    given.append(0.0 if any(given) else 1.0)
    return [max(value, 0.0) for value in dense(given, *layers(arrays, "textual_", 2))]


def scores(arrays, visual, noisy=None):
    """Score pictures by their visual features and the noisy tags that they carry."""
    found = []
    counts, n_images = arrays["counts"].tolist(), arrays["facts"][0]
    n_layers = sum(name.startswith("classifier_weights") for name in arrays)
    for i, feature in enumerate(visual.astype(float).tolist()):
        joint = feature if noisy is None else feature + textual(arrays, noisy[i])
        standard = [
            (value - mean) * scale
            for value, mean, scale in zip(
                joint, arrays["mean"].tolist(), arrays["scale"].tolist(), strict=True
            )
        ]
        row = dense(standard, *layers(arrays, "classifier_", n_layers))
        lowest = -log(2 * n_images + 1)
        found.append([value if n else lowest for value, n in zip(row, counts, strict=True)])
    return found
