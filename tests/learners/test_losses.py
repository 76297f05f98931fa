import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch

from indexing.errors import InputError
from learners.losses import (
    Loss,
    asymmetric_loss,
    logistic_loss,
    loss_function,
    softmax_loss,
    squared_loss,
    warp_loss,
)
from tests.reference import heads


def drawn(n_images: int = 4, n_tags: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores far enough from every kink for a numerical gradient; one picture has no tag."""
    rng = np.random.default_rng(seed)
    logits = torch.tensor(2 * rng.normal(size=(n_images, n_tags)))
    targets = torch.tensor((rng.random((n_images, n_tags)) < 0.4).astype(np.float64))
    targets[1:2] = 0
    targets[2:3] = 1
    return logits, targets


ASYMMETRIES = [(0.0, 4.0, 0.05), (1.0, 2.0, 0.2), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (2.0, 0.0, 0.1)]


@pytest.mark.parametrize(
    ("loss", "reference"),
    [
        (logistic_loss, heads.logistic),
        (softmax_loss, heads.softmax),
        (warp_loss, heads.warp),
        (squared_loss, heads.squared),
    ],
)
def test_losses_equal_the_literal_loops(loss, reference) -> None:
    logits, targets = drawn()
    assert loss(logits, targets).item() == pytest.approx(
        reference(logits.tolist(), targets.tolist()), rel=1e-12
    )


@pytest.mark.parametrize(("positive", "negative", "margin"), ASYMMETRIES)
def test_the_asymmetric_loss_equals_the_literal_loop(positive, negative, margin) -> None:
    logits, targets = drawn()
    loss = asymmetric_loss(
        logits, targets, gamma_positive=positive, gamma_negative=negative, margin=margin
    )
    expected = heads.asymmetric(logits.tolist(), targets.tolist(), positive, negative, margin)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", [logistic_loss, softmax_loss, warp_loss, squared_loss])
def test_gradients_are_right(loss) -> None:
    logits, targets = drawn()
    assert torch.autograd.gradcheck(lambda z: loss(z, targets), logits.requires_grad_())


@pytest.mark.parametrize(("positive", "negative", "margin"), ASYMMETRIES)
def test_gradients_of_the_asymmetric_loss_are_right(positive, negative, margin) -> None:
    logits, targets = drawn()

    def loss(z: torch.Tensor) -> torch.Tensor:
        return asymmetric_loss(
            z, targets, gamma_positive=positive, gamma_negative=negative, margin=margin
        )

    assert torch.autograd.gradcheck(loss, logits.requires_grad_())


def test_smoothed_targets_have_the_right_gradients_too() -> None:
    logits, targets = drawn()
    smooth = 0.1 + 0.8 * targets
    for loss in (logistic_loss, asymmetric_loss):
        assert torch.autograd.gradcheck(
            lambda z, loss=loss: loss(z, smooth), logits.detach().requires_grad_()
        )


def test_without_asymmetry_it_is_the_logistic_loss() -> None:
    logits, targets = drawn()
    plain = asymmetric_loss(logits, targets, gamma_negative=0, margin=0)
    assert plain.item() == pytest.approx(logistic_loss(logits, targets).item(), rel=1e-12)


def test_warp_by_hand() -> None:
    # The present tag 0 is outranked by tag 2 and too close to tag 1: (1 + 1/2) / 2 * (0.5 + 2).
    logits = torch.tensor([[1.0, 0.5, 2.0, -3.0]])
    targets = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert warp_loss(logits, targets).item() == pytest.approx(0.75 * 2.5)


def test_warp_is_the_mean_of_the_sampled_estimate_with_the_true_rank() -> None:
    logits, targets = drawn(n_images=1, seed=3)
    rng = np.random.default_rng(0)
    z, y = logits[0].numpy(), targets[0].numpy() > 0.5
    sampled = []
    for _ in range(4000):
        total = 0.0
        for t in np.flatnonzero(y):
            too_close = [s for s in np.flatnonzero(~y) if 1 - z[t] + z[s] > 0]
            if too_close:
                drawn_tag = rng.choice(too_close)
                rank_weight = sum(1 / i for i in range(1, len(too_close) + 1))
                total += rank_weight * (1 - z[t] + z[drawn_tag])
        sampled.append(total)
    error = np.std(sampled) / np.sqrt(len(sampled))
    assert abs(warp_loss(logits, targets).item() - np.mean(sampled)) < 4 * error


BOUNDED = [loss_function(loss) for loss in Loss if loss is not Loss.SQUARED]


@pytest.mark.parametrize("loss", [*BOUNDED, partial(asymmetric_loss, margin=0)])
def test_scores_however_large_give_finite_losses_and_gradients(loss) -> None:
    logits = torch.tensor([[1e4, -1e4, 200.0, -200.0]], requires_grad=True)
    for targets in ([[1.0, 0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0, 1.0]], [[0.0] * 4]):
        value = loss(logits, torch.tensor(targets))
        (gradient,) = torch.autograd.grad(value, logits)
        assert value.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("loss", [softmax_loss, warp_loss])
def test_a_picture_without_tags_adds_nothing(loss) -> None:
    logits, targets = drawn()
    alone = loss(logits[:1], targets[:1])
    with_another = loss(logits[:2], targets[:2])
    assert with_another.item() == pytest.approx(alone.item() / 2)


def test_no_tags_at_all_cost_nothing() -> None:
    for loss in Loss:
        assert loss_function(loss)(torch.zeros(3, 0), torch.zeros(3, 0)).item() == 0


def test_the_asymmetric_loss_lets_go_of_easy_absent_tags() -> None:
    logits = torch.tensor([[-4.0, 0.0]], requires_grad=True)
    asymmetric_loss(logits, torch.zeros(1, 2)).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] == 0
    assert logits.grad[0, 1] > 0


def test_numbers_out_of_range_are_refused() -> None:
    logits, targets = drawn()
    with pytest.raises(InputError, match=r"gamma_negative is 0\.5; it is 0 or .* at least 1"):
        asymmetric_loss(logits, targets, gamma_negative=0.5)
    with pytest.raises(InputError, match="margin is 1; it is at least 0 and below 1"):
        asymmetric_loss(logits, targets, margin=1)


def test_importing_needs_no_torch() -> None:
    modules = "learners.losses, learners.training, learners.heads, learners.quantity"
    program = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
