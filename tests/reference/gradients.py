"""Dense SIFT and bags of visual words, written out literally: pixel by pixel, word by word."""

import math

import numpy as np

LUMA = (0.299 / 255, 0.587 / 255, 0.114 / 255)


def smoothed(grey, cell):
    deviation = cell / 6
    reach = math.ceil(3 * deviation)
    weights = [math.exp(-0.5 * (k / deviation) ** 2) for k in range(-reach, reach + 1)]
    size = len(grey)

    def at(y, x):
        return grey[min(max(y, 0), size - 1)][min(max(x, 0), size - 1)]

    total = sum(weights) ** 2
    return [
        [
            sum(
                weights[i + reach] * weights[j + reach] * at(y + i, x + j)
                for i in range(-reach, reach + 1)
                for j in range(-reach, reach + 1)
            )
            / total
            for x in range(size)
        ]
        for y in range(size)
    ]


def slope(values, i):
    """Return the difference of the neighbours over their distance; one-sided at the ends."""
    first, last = max(i - 1, 0), min(i + 1, len(values) - 1)
    return (values[last] - values[first]) / (last - first)


def cell_shares(pixel, cell, n_cells):
    """Return (cell, share): 3/4 to the cell of a pixel, 1/4 to the nearer one beside it."""
    own, place = divmod(pixel, cell)
    other = own - 1 if place < cell / 2 else own + 1
    return [(own, 0.75)] + ([(other, 0.25)] if 0 <= other < n_cells else [])


def gradient_histograms(picture, cell, faintest):
    size = len(picture)
    n_cells = size // cell
    grey = [
        [sum(w * float(c) for w, c in zip(LUMA, p, strict=True)) for p in row] for row in picture
    ]
    smooth = smoothed(grey, cell)
    cells = np.zeros((n_cells, n_cells, 8))
    for y in range(size):
        for x in range(size):
            right = slope(smooth[y], x)
            down = slope([row[x] for row in smooth], y)
            turn = math.atan2(down, right) / (2 * math.pi) * 8 % 8
            lower = math.floor(turn)
            for direction, share in ((lower, 1 - (turn - lower)), (lower + 1, turn - lower)):
                for row, row_share in cell_shares(y, cell, n_cells):
                    for column, column_share in cell_shares(x, cell, n_cells):
                        cells[row, column, direction % 8] += (
                            math.hypot(right, down) * share * row_share * column_share / cell**2
                        )
    n = n_cells - 3
    descriptors = np.zeros((n, n, 128))
    for row in range(n):
        for column in range(n):
            values = cells[row : row + 4, column : column + 4].ravel()
            length = math.sqrt(sum(values**2))
            if length < faintest:
                continue
            values = np.minimum(values / length, 0.2)
            descriptors[row, column] = values / math.sqrt(sum(values**2))
    return descriptors


def word_counts(descriptors, words):
    """Return counts of a picture's words, whole and a quarter, from its grids of descriptors."""
    whole, quarters = np.zeros(len(words)), np.zeros((4, len(words)))
    for grid in descriptors:
        n = len(grid)
        for row in range(n):
            for column in range(n):
                if not np.any(grid[row, column]):
                    continue
                distances = [np.sum((grid[row, column] - word) ** 2) for word in words]
                word = int(np.argmin(distances))
                whole[word] += 1
                quarters[2 * (row >= n / 2) + (column >= n / 2), word] += 1
    return np.concatenate([whole, quarters.ravel()])
