"""The fusion of scales, written out literally: maps are lists [channel][row][column]."""

import math


def convolved(maps, kernels, stride, padding):
    """Convolve with kernels [channel out][channel in][row][column]; outside is 0."""
    height, width, reach = len(maps[0]), len(maps[0][0]), len(kernels[0][0])
    result = []
    for kernel in kernels:
        plane = []
        for top in range(-padding, height + padding - reach + 1, stride):
            row = []
            for left in range(-padding, width + padding - reach + 1, stride):
                total = 0.0
                for channel, weights in zip(maps, kernel, strict=True):
                    for i in range(reach):
                        for j in range(reach):
                            y, x = top + i, left + j
                            if 0 <= y < height and 0 <= x < width:
                                total += weights[i][j] * channel[y][x]
                row.append(total)
            plane.append(row)
        result.append(plane)
    return result


def normalised(maps, mean, variance, weight, bias, epsilon=1e-5):
    """Normalise each channel by what is known of it, and cut what is negative."""
    return [
        [[max((v - m) / math.sqrt(s + epsilon) * w + b, 0.0) for v in row] for row in plane]
        for plane, m, s, w, b in zip(maps, mean, variance, weight, bias, strict=True)
    ]


def fused(levels, blocks):
    """Return the mean of the last fused maps; a block is a dict of lists."""
    current = levels[0]
    for level, block in zip(levels[1:], blocks, strict=True):
        brought = convolved(current, block["0.weight"], block["stride"], 1)
        brought = normalised(brought, *_normalisation(block, 1))
        brought = convolved(brought, block["3.weight"], 1, 0)
        brought = normalised(brought, *_normalisation(block, 4))
        current = [
            [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(*planes, strict=True)]
            for planes in zip(level, brought, strict=True)
        ]
    return [sum(map(sum, plane)) / (len(plane) * len(plane[0])) for plane in current]


def _normalisation(block, number):
    names = ("running_mean", "running_var", "weight", "bias")
    return [block[f"{number}.{name}"] for name in names]
