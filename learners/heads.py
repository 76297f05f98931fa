"""Heads on stored features: radial units with one layer, or a network, for all tags at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Batch, Needs
from learners.batch import features_of
from learners.dense import DenseLayers, Standardization, train_dense
from learners.least_squares import LeastSquares
from learners.left_out import left_out_scores
from learners.losses import Loss, asymmetric_loss, loss_function
from learners.network_learner import NetworkLearner
from learners.parameters import one_of, real_number, whole_number
from learners.quantity import LabelQuantity, Quantity
from learners.radial import RadialUnits, bent_log_odds, fit_radial_units, principal_map
from learners.ridge_quantity import RidgeQuantity, fit_ridge_quantity
from learners.tag_matrix import TagMatrix
from learners.training import TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Heads"]

# Directions of the radial units that a network is trained on; the others carry next to nothing.
_N_DIRECTIONS = 2_048

# Values held at a time: 32 MB as float64.
_CHUNK_VALUES = 1 << 22


@dataclass(kw_only=True, eq=False)
class Heads(NetworkLearner):
    r"""Score every tag from the stored feature of a picture.

    A feature goes to radial units, the training pictures (:mod:`learners.radial`), or, where
    `n_units` is 0, is standardised; then through `hidden` layers, if any, to an output
    :math:`z_t` a tag. With :math:`n_t` of the :math:`n` training pictures carrying the tag,

    .. math:: score(x, t) = z_t(x) - \tau \log \frac{n_t + 1/2}{n + 1} .

    The outputs of the squared loss estimate whether the tag is there, and become log-odds by
    :func:`learners.radial.bent_log_odds`. A tag that no training picture carries scores
    :math:`-\log(2n + 1)` everywhere: half a picture's odds.

    Parameters
    ----------
    loss : {"squared", "asymmetric", "logistic", "softmax", "warp"}, default="squared"
        Squared, without hidden layers and with units, is solved in closed form (kernel ridge
        regression) without torch; all else is trained.
    n_units : int, default=8192
        Radial units, at most; the pictures are drawn where there are more. 0 = none.
    width : float, default=1
        Of the radial units, as a share of the features' spread; above 0.
    regularization : float, default=0.05
        Ridge of the closed form, above 0.
    completion : float, default=0.3
        Of the closed form, in [0, 1]: how far tags that a picture lacks and the others speak
        for are taken for forgotten ones.
    prior_correction : float, default=0.2
        The :math:`\tau`, at least 0: how much rare tags are helped.
    hidden : tuple of int, default=()
        Widths of the hidden layers.
    dropout : float, default=0.5
        Of the hidden layers in training, in [0, 1).
    gamma_negative, margin : float, default=1, 0
        Of the asymmetric loss (:func:`learners.losses.asymmetric_loss`).
    learning_rate, weight_decay, batch_size : default=0.1, 0, 128
        As :class:`learners.training.TrainingSettings` takes them. The rate is for units without
        hidden layers; networks want a hundredth of it.
    epochs : int, default=15
        At most.
    held_out : float, default=0
        Share of the pictures, in [0, 1), that are not trained on and say by their MAP which
        epoch was the best. Nothing is held out where it comes to less than one picture.
    patience : int or None, default=None
        Epochs without a better one before training stops; None = never.
    n_members : int, default=1
        Networks that are trained from different seeds and averaged.
    seed : int, default=0
    quantity : {"auto", "network", "none"}, default="auto"
        How the number of tags is learned: in closed form like the scores
        (:class:`learners.ridge_quantity.RidgeQuantity`), by the network of Niu et al.
        (:class:`learners.quantity.LabelQuantity`; "auto" is that too where scores are
        trained), or not.

    Attributes
    ----------
    counts_ : ndarray of int64, shape (n_tags,)
        Training pictures of each tag.
    n_images_, mean_quantity_ : int, float
        Training pictures, and their mean number of tags.
    inputs_ : RadialUnits, Standardization or None
        None where there was nothing to learn from.
    networks_ : tuple of DenseLayers
    quantity_ : RidgeQuantity, LabelQuantity or None

    Notes
    -----
    Answering needs NumPy alone. On Corel-5K (five folds of the training split) the units make
    the difference: MAP 53 to 54 with the squared, asymmetric and logistic losses, 52 with the
    others, 49 for networks of one hidden layer on the features. A larger correction recalls
    more labels, at the price of the ranking of a picture's tags: 0 and 0.4 instead of 0.2 give
    N+ 174 and 195 instead of 186, MiAP 71.9 and 70.4 instead of 72.2. On units the asymmetric
    loss is better with the power and margin here than with its published ones (4 and 0.05).

    References
    ----------
    C. Saunders, A. Gammerman, V. Vovk, "Ridge Regression Learning Algorithm in Dual
    Variables", ICML 1998 (the closed form); A. Menon et al., "Long-tail learning via logit
    adjustment", ICLR 2021 (the correction).
    """

    name: ClassVar[str] = "heads"
    needs: ClassVar[Needs] = Needs.FEATURES
    predict_params: ClassVar[frozenset[str]] = frozenset({"prior_correction"})

    NETWORK: ClassVar[Mapping[str, Any]] = {
        "loss": "asymmetric",
        "n_units": 0,
        "hidden": (512,),
        "gamma_negative": 4.0,
        "margin": 0.05,
        "learning_rate": 5e-4,
        "weight_decay": 0.1,
        "batch_size": 64,
    }
    """A network on the features, with the asymmetric loss as published."""

    TAGGERNET: ClassVar[Mapping[str, Any]] = {
        "loss": "logistic",
        "n_units": 0,
        "hidden": (1_024,),
        "learning_rate": 1e-3,
        "epochs": 15,
        "held_out": 0.2,
        "patience": 3,
        "prior_correction": 0.0,
    }
    """TaggerNet of "Image tagging with zero-shot learning and GloVe". Width, patience and the batch
    are ours: the paper tells none."""

    loss: Loss = Loss.SQUARED
    n_units: int = 8_192
    width: float = 1.0
    regularization: float = 0.05
    completion: float = 0.3
    prior_correction: float = 0.2
    hidden: tuple[int, ...] = ()
    dropout: float = 0.5
    gamma_negative: float = 1.0
    margin: float = 0.0
    learning_rate: float = 0.1
    weight_decay: float = 0.0
    batch_size: int = 128
    epochs: int = 15
    held_out: float = 0.0
    patience: int | None = None
    n_members: int = 1
    seed: int = 0
    quantity: Quantity = Quantity.AUTO

    inputs_: RadialUnits | Standardization | None = field(init=False, repr=False)
    networks_: tuple[DenseLayers, ...] = field(init=False, repr=False)
    quantity_: RidgeQuantity | LabelQuantity | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.loss = one_of("loss", self.loss, Loss)
        self.n_units = whole_number("n_units", self.n_units, 0)
        if isinstance(self.hidden, str) or not isinstance(self.hidden, list | tuple):
            raise InputError(f"hidden is {self.hidden!r}; it is a list of widths, such as [512]")
        self.hidden = tuple(whole_number("a width of hidden", width) for width in self.hidden)
        self.n_members = whole_number("n_members", self.n_members)
        self.width = real_number("width", self.width, above=0)
        self.regularization = real_number("regularization", self.regularization, above=0)
        self.prior_correction = real_number("prior_correction", self.prior_correction)
        if real_number("completion", self.completion) > 1:
            raise InputError(f"completion is {self.completion:g}; it is in [0, 1]; lower it")
        for name in ("dropout", "margin", "held_out"):
            if real_number(name, getattr(self, name)) >= 1:
                raise InputError(f"{name} is {getattr(self, name):g}; it is below 1; lower it")
        power = real_number("gamma_negative", self.gamma_negative)
        if 0 < power < 1:
            raise InputError(f"gamma_negative is {power:g}; it is 0, or at least 1; change it")
        self.quantity = one_of("quantity", self.quantity, Quantity)
        self._last: tuple[ref[Batch], NDArray[np.float64]] | None = None
        self._known: tuple[TagMatrix, NDArray[np.int64] | None] | None = None
        self._settings()

    @property
    def learns_quantity(self) -> bool:
        """Whether the number of tags is learned."""
        return self.quantity is not Quantity.NONE

    def params(self) -> dict[str, Any]:
        """Return the hyper-parameters as JSON knows them."""
        return {**super().params(), "hidden": list(self.hidden)}

    def out_of_fold_scores(self) -> NDArray[np.float32] | None:
        """Return what pictures it was fitted on score unseen (:mod:`learners.left_out`).

        None where that has no closed form, takes long, or the learner was not fitted here.
        """
        tags, groups = self._known or (None, None)
        if tags is None or not isinstance(self.inputs_, RadialUnits) or not self._is_solved:
            return None
        knobs = self.regularization, self.completion, self.prior_correction
        return left_out_scores(self.inputs_, tags, groups, *knobs)

    def _predict_quantities(self, batch: Batch) -> NDArray[np.float64] | None:
        if self.quantity_ is None:
            return None
        if isinstance(self.quantity_, LabelQuantity):
            return self.quantity_.predict(features_of(batch))
        asked, quantities = self._last or (None, None)
        # The units have mostly been asked for the scores of the same batch a moment ago.
        return quantities if asked and asked() is batch else self._answer(batch)[1]

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        features = features_of(batch)
        self._count(tags)
        n_tags_of = np.diff(tags.indptr)
        self.inputs_, self.networks_, self.quantity_ = None, (), None
        self._known = tags, batch.groups
        if not tags.n_images or not tags.n_tags:
            return
        by_network = self.quantity is Quantity.NETWORK or not self._is_solved
        if self.quantity is not Quantity.NONE and by_network:
            self.quantity_ = LabelQuantity(seed=self.seed).fit(
                features,
                n_tags_of,
                batch.groups,
                checkpoints=self._checkpoints,
                on_progress=self._report,
            )
        present = tags.toarray()  # (n_images, n_tags)
        if self.n_units:
            units = fit_radial_units(features, self.n_units, scale=self.width, seed=self.seed)
            self.inputs_ = units
            if self._is_solved:
                system = LeastSquares(units, features, self.regularization, self._report)
                fitted = system.fit_tags(present, self.completion)
                self.networks_ = (DenseLayers((fitted.weights,), (fitted.mean,)),)
                if self.quantity is Quantity.AUTO:
                    self.quantity_ = fit_ridge_quantity(system, n_tags_of, fitted)
            else:
                self.networks_ = self._trained_on_units(units, features, present, batch.groups)
        else:
            self.inputs_ = Standardization.of(features)
            self.networks_ = self._trained(self.inputs_(features), present, batch.groups)

    @property
    def _is_solved(self) -> bool:
        """Whether the scores have a closed form."""
        return self.loss is Loss.SQUARED and not self.hidden and self.n_units > 0

    def _trained_on_units(
        self,
        units: RadialUnits,
        features: NDArray[np.float32],
        present: NDArray[np.bool_],
        groups: NDArray[np.int64] | None,
    ) -> tuple[DenseLayers, ...]:
        """Train on the principal directions of the units, and turn the result back to them."""
        turn = principal_map(units, _N_DIRECTIONS)  # (n_units, n_kept)
        turned = np.concatenate(
            [(units(features[part]) @ turn).astype(np.float32) for part in self._parts(features)]
        )
        mean = turned.mean(axis=0, dtype=np.float64)
        trained = self._trained((turned - mean).astype(np.float32), present, groups)
        return tuple(network.behind(turn, mean) for network in trained)

    def _trained(
        self,
        inputs: NDArray[np.float32],
        present: NDArray[np.bool_],
        groups: NDArray[np.int64] | None,
    ) -> tuple[DenseLayers, ...]:
        prior = self._prior
        start = prior if self.loss is Loss.SQUARED else np.log(prior / (1 - prior))
        return train_dense(
            inputs,
            present,
            start.astype(np.float32),
            self._loss(),
            self._settings(),
            hidden=self.hidden,
            dropout=self.dropout,
            n_members=self.n_members,
            held_out=self.held_out,
            groups=groups,
            stage=self.name,
            checkpoints=self._checkpoints,
            on_progress=self._report,
        )

    def _loss(self) -> "Callable[[Tensor, Tensor], Tensor]":
        if self.loss is Loss.ASYMMETRIC:
            return partial(asymmetric_loss, gamma_negative=self.gamma_negative, margin=self.margin)
        return loss_function(self.loss)

    def _settings(self) -> TrainingSettings:
        return TrainingSettings(
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            seed=self.seed,
        )

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        scores, quantities = self._answer(batch)
        self._last = ref(batch), quantities
        return scores

    def _answer(self, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the scores, and the quantities where they come from the same units."""
        features = features_of(batch)
        scores = np.zeros((len(features), len(self.counts_)), dtype=np.float32)
        quantities = np.zeros(len(features))
        if self.inputs_ is None:
            return scores, quantities
        bonus = -self.prior_correction * np.log(self._prior)  # (n_tags,)
        for part in self._parts(features):
            inputs = self.inputs_(features[part])
            outputs = [network(inputs) for network in self.networks_]
            if isinstance(self.quantity_, RidgeQuantity):
                quantities[part] = self.quantity_.predict(inputs, outputs[0])
            if self.loss is Loss.SQUARED:
                outputs = [bent_log_odds(output) for output in outputs]
            scores[part] = sum(outputs[1:], outputs[0]) / len(outputs) + bonus
        scores[:, self.counts_ == 0] = -np.log(2 * self.n_images_ + 1)
        return scores, quantities

    def _parts(self, features: NDArray[np.float32]) -> list[slice]:
        width = self.inputs_.n_units if isinstance(self.inputs_, RadialUnits) else 1
        step = max(1, _CHUNK_VALUES // max(width, *features.shape[1:], len(self.counts_), 1))
        return [slice(start, start + step) for start in range(0, len(features), step)]

    @property
    def _prior(self) -> NDArray[np.float64]:
        """Share of the pictures with each tag, drawn towards a half, float64 (n_tags,)."""
        prior: NDArray[np.float64] = (self.counts_ + 0.5) / (self.n_images_ + 1)
        return prior

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        self._known = None
        counts = np.append(self.counts_, 0)  # where -1 points to
        self.counts_ = counts[columns]
        self.networks_ = tuple(network.taking(columns) for network in self.networks_)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        facts = np.array([self.n_images_, self.mean_quantity_, len(self.networks_)])
        arrays: dict[str, NDArray[np.generic]] = {"counts": self.counts_, "facts": facts}
        if isinstance(self.inputs_, RadialUnits):
            arrays |= self.inputs_.to_arrays()
        elif self.inputs_ is not None:
            arrays |= {"mean": self.inputs_.mean, "scale": self.inputs_.scale}
        for member, network in enumerate(self.networks_):
            arrays |= network.to_arrays(f"network_{member}_")
        if self.quantity_ is not None:
            arrays |= self.quantity_.to_arrays("quantity_")
        return arrays

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.counts_ = np.asarray(arrays["counts"], dtype=np.int64)
        facts = np.asarray(arrays["facts"], dtype=np.float64)
        self.n_images_, self.mean_quantity_ = int(facts[0]), float(facts[1])
        self.inputs_, self.networks_, self.quantity_ = None, (), None
        if not facts[2]:
            return
        if self.n_units:
            self.inputs_ = RadialUnits.from_arrays(arrays)
        else:
            mean, scale = (np.asarray(arrays[name], np.float32) for name in ("mean", "scale"))
            self.inputs_ = Standardization(mean, scale)
        self.networks_ = tuple(
            DenseLayers.from_arrays(arrays, f"network_{member}_", len(self.hidden) + 1)
            for member in range(int(facts[2]))
        )
        if self.quantity is Quantity.AUTO and self._is_solved:
            self.quantity_ = RidgeQuantity.from_arrays(arrays, "quantity_")
        elif self.quantity is not Quantity.NONE:
            self.quantity_ = LabelQuantity(seed=self.seed)
            self.quantity_.restore(arrays, "quantity_")
