from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from torch import nn

from indexing.errors import ArtifactError, InputError
from indexing.extractors import efficientnet
from indexing.extractors.runtime import inference_runtime
from learners.base import TagMatrix
from learners.multiscale.backbones import Backbone, open_backbone
from learners.multiscale.exported import ExportedNetwork
from learners.multiscale.network import FusionBlock, MultiScaleTower, Scale
from learners.multiscale.training import train_multiscale
from learners.training import seeded, training_plan
from tests.reference import multiscale as reference


class Toy(nn.Module):
    """Two scales: the picture's first channel, and what two kernels make of pairs of places."""

    def __init__(self) -> None:
        super().__init__()
        self.feature_info = [{"reduction": 1}, {"reduction": 2}]
        self.kernels = nn.Conv2d(1, 2, 2, stride=2, bias=False)

    def forward_intermediates(self, x: torch.Tensor, indices: list[int]):
        assert indices == [0, 1]
        maps = [x[:, :1], self.kernels(x[:, :1])]
        return maps[-1], maps


def tower(size: int = 4, **params: bool) -> MultiScaleTower:
    with seeded(0):
        return MultiScaleTower(Toy(), size, **params)


def test_resnet_101_has_the_scales_of_the_paper() -> None:
    network = MultiScaleTower(timm.create_model("resnet101", pretrained=False), 224)
    assert network.scales == (
        Scale(64, 112),
        Scale(256, 56),
        Scale(512, 28),
        Scale(1_024, 14),
        Scale(2_048, 7),
    )
    assert network.n_dims == 2_048
    shapes = [
        (tuple(block[0].weight.shape), block[0].stride, tuple(block[3].weight.shape))
        for block in network.blocks
    ]
    assert shapes == [
        ((n, n, 3, 3), (2, 2), (m, n, 1, 1))
        for n, m in ((64, 256), (256, 512), (512, 1_024), (1_024, 2_048))
    ]
    with torch.no_grad():
        x = torch.rand(1, 3, 224, 224)
        for block, level, following in zip(
            network.blocks, network.maps(x), network.scales[1:], strict=False
        ):
            brought = block(level)
            assert brought.shape == (1, following.n_channels, following.side, following.side)
        assert network(x).shape == (1, 2_048)


def test_a_network_of_two_layers_worked_by_hand() -> None:
    network = tower(2)
    block = network.blocks[0]
    with torch.no_grad():
        network.net.kernels.weight.copy_(torch.tensor([[[[1, 0], [0, 0]]], [[[0, 0], [0, -1]]]]))
        block[0].weight.copy_(torch.tensor([[[[0, 0, 0], [0, 1, 2], [0, 3, 4]]]]))
        block[3].weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        for norm in (block[1], block[4]):
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1)
        block[1].running_mean.fill_(20)
        block[4].bias.copy_(torch.tensor([0.5, 9.0]))
        # M_1 = [[1, 2], [3, 4]]; M_2 = (1, -4). The 3 x 3 kernel gives 1 + 4 + 9 + 16 = 30,
        # less 20 is 10; the 1 x 1 kernels give 10 and -10; F = (10.5, 0), from 10.5 and -1.
        x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(1, 3, 2, 2)
        np.testing.assert_allclose(network(x).numpy(), [[11.5, -4.0]], atol=1e-5)
        block[1].running_mean.fill_(31)  # below 0: nothing is brought but what is added
        np.testing.assert_allclose(network(x).numpy(), [[1.5, 5.0]], atol=1e-5)
        network.fuses = False
        np.testing.assert_allclose(network(x).numpy(), [[1, -4]])


@pytest.mark.parametrize("size", [4, 6, 8])
def test_the_fused_feature_equals_the_literal_loop(size: int) -> None:
    network = tower(size)
    with seeded(1):
        for module in network.blocks.modules():
            if isinstance(module, nn.BatchNorm2d):
                for values in (module.running_mean, module.weight, module.bias):
                    nn.init.normal_(values, 0.5)
                nn.init.uniform_(module.running_var, 0.5, 2)
        x = torch.randn(2, 3, size, size)
    blocks = [
        {"stride": block[0].stride[0], **{k: v.tolist() for k, v in block.state_dict().items()}}
        for block in network.blocks
    ]
    with torch.no_grad():
        levels = network.maps(x)
        for i, feature in enumerate(network(x)):
            expected = reference.fused([level[i].tolist() for level in levels], blocks)
            np.testing.assert_allclose(feature, expected, atol=1e-5)


def test_without_fusion_it_is_the_feature_that_the_extractor_gives() -> None:
    network = efficientnet.load_network(0)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    backbone = open_backbone("efficientnet-lite0")
    plain = MultiScaleTower(backbone.net, 224, fused=False)
    assert len(plain.blocks) == 0
    assert plain.scales == (
        Scale(16, 112),
        Scale(24, 56),
        Scale(40, 28),
        Scale(112, 14),
        Scale(1_280, 7),
    )
    channels_first = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        expected = network.module(torch.from_numpy(pixels))[0][:, :1_280]
        x = (channels_first - backbone.mean[0]) / backbone.scale[0]
        torch.testing.assert_close(plain(x), expected, rtol=1e-4, atol=1e-5)


def test_one_batch_equals_the_pictures_one_by_one() -> None:
    network = small_tower().train().training_only(blocks=True).eval()
    x = torch.randn(5, 3, 33, 33, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        alone = torch.cat([network(one[None]) for one in x])
        torch.testing.assert_close(network(x), alone, rtol=1e-4, atol=1e-5)


def small_tower(name: str = "test_resnet", size: int = 33) -> MultiScaleTower:
    with seeded(0):
        return MultiScaleTower(timm.create_model(name, pretrained=False), size)


def trained_names(network: MultiScaleTower) -> set[str]:
    names = {name for name, weights in network.named_parameters() if weights.requires_grad}
    return {".".join(name.split(".")[:2]) for name in names}


@pytest.mark.parametrize(
    ("n_scales", "trained"),
    [
        (0, set()),
        (1, {"net.layer4"}),
        (2, {"net.layer4", "net.layer3"}),
        (4, {"net.layer4", "net.layer3", "net.layer2", "net.layer1"}),
        (5, {"net.layer4", "net.layer3", "net.layer2", "net.layer1", "net.conv1", "net.bn1"}),
        (9, {"net.layer4", "net.layer3", "net.layer2", "net.layer1", "net.conv1", "net.bn1"}),
    ],
)
def test_only_the_last_scales_are_trained(n_scales: int, trained: set[str]) -> None:
    network = small_tower().training_only(n_scales=n_scales)
    assert trained_names(network) == trained
    network.training_only(n_scales=n_scales, blocks=True)
    blocks = {f"blocks.{number}" for number in range(4)}
    assert trained_names(network) == trained | blocks
    network.train()
    in_training = {
        ".".join(name.split(".")[:2])
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.training
    }
    assert in_training == trained | blocks
    assert not any(module.training for module in network.eval().modules())


def test_what_is_frozen_is_neither_changed_nor_normalised_by_its_batch() -> None:
    network = small_tower().training_only(n_scales=0, blocks=True).train()
    before = {name: values.clone() for name, values in network.net.state_dict().items()}
    x = torch.randn(4, 3, 33, 33, generator=torch.Generator().manual_seed(0))
    network(x).square().sum().backward()
    assert all(weights.grad is None for weights in network.net.parameters())
    assert all(weights.grad is not None for weights in network.blocks.parameters())
    for name, values in network.net.state_dict().items():
        torch.testing.assert_close(values, before[name], rtol=0, atol=0)
    assert all(float(block[1].num_batches_tracked) == 1 for block in network.blocks)


def test_the_fusion_begins_alive_and_small() -> None:
    block = FusionBlock(4, 6, 2).train()
    block(torch.randn(8, 4, 6, 6)).mean().backward()
    assert all(weights.grad.abs().sum() > 0 for weights in block.parameters())
    assert block[4].weight.tolist() == pytest.approx([0.1] * 6)


@pytest.mark.parametrize(
    "name", ["test_convnext", "test_efficientnet", "test_nfnet", "test_mambaout"]
)
def test_networks_of_other_families(name: str) -> None:
    network = small_tower(name, 64)
    with torch.no_grad():
        assert network(torch.randn(2, 3, 64, 64)).shape == (2, network.n_dims)
    assert len(network.blocks) == len(network.scales) - 1 >= 3


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("test_resnet", ["conv1", "layer1", "layer2", "layer3"]),
        ("test_efficientnet", [f"blocks.{number}" for number in range(5)]),
        ("test_convnext", ["stem", *(f"stages.{number}" for number in range(4))]),
    ],
)
@pytest.mark.parametrize("fused", [False, True])
def test_every_stage_is_pooled_behind_the_feature(name, paths, fused) -> None:
    with seeded(0):
        net = timm.create_model(name, pretrained=False)
        network = MultiScaleTower(net, 64, fused=fused, pools_stages=True)
    pooled: dict[str, torch.Tensor] = {}
    for path in paths:
        net.get_submodule(path).register_forward_hook(
            lambda module, given, output, path=path: pooled.update({path: output.mean((2, 3))})
        )
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        output, maps = network(x), network.maps(x)
        expected = [network.feature(maps), *pooled.values(), *([maps[-1].mean((2, 3))] * fused)]
    torch.testing.assert_close(output, torch.cat(expected, dim=1))
    assert network.widths == tuple(part.shape[1] for part in expected)
    assert not any("everything" in key for key in network.state_dict())


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_mambaout"])
@pytest.mark.parametrize("n_scales", [1, 2, None])
@pytest.mark.parametrize("fused", [False, True])
def test_stages_are_pooled_as_they_were_whatever_is_trained(name, n_scales, fused) -> None:
    def made() -> MultiScaleTower:
        with seeded(0):
            net = timm.create_model(name, pretrained=False)
            return MultiScaleTower(net, 64, fused=fused, pools_stages=True)

    before, network = made(), made()
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.keep_original(n_scales)
        # As long as nothing is trained, it only gives the last maps too where they were not.
        old = before(x)
        last = before.maps(x)[-1].mean((2, 3))
        expected = old if fused else torch.cat([old, last], dim=1)
        torch.testing.assert_close(network(x), expected)
        network.training_only(n_scales=n_scales, blocks=fused).train()
        for weights in network.net.parameters():
            if weights.requires_grad:
                weights.add_(0.1)
        assert not any(module.training for module in network.original.modules())
        network.eval()
        feature, *others = network(x).split(network.widths, dim=1)
        torch.testing.assert_close(feature, network.feature(network.maps(x)))
        assert (feature - old[:, : network.n_dims]).abs().max() > 1e-3
        torch.testing.assert_close(torch.cat(others, dim=1), expected[:, network.n_dims :])


@pytest.mark.parametrize("fused", [False, True])
def test_scales_take_the_place_of_stages_with_channels_at_the_end(fused) -> None:
    with seeded(0):
        net = timm.create_model("test_mambaout", pretrained=False)
        network = MultiScaleTower(net, 64, fused=fused, pools_stages=True)
    assert network.widths == (64, 16, 32, 48, *([64] * fused))
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = network.maps(x)
        expected = [network.feature(maps), *(one.mean((2, 3)) for one in maps[: 3 + fused])]
        torch.testing.assert_close(network(x), torch.cat(expected, dim=1))


def test_networks_that_have_no_scales_are_refused() -> None:
    with pytest.raises(InputError, match="VisionTransformer gives maps of 1 resolutions; two or"):
        MultiScaleTower(timm.create_model("test_vit", pretrained=False), 160)
    with pytest.raises(InputError, match="maps of 17 places a side before maps of 8; a side"):
        small_tower("test_convnext", 70)


def backbone() -> Backbone:
    return open_backbone("timm:test_resnet", pretrained=False, seed=3)


def pictures() -> tuple[np.ndarray, TagMatrix]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 33, 33, 3), dtype=np.uint8)
    return pixels, TagMatrix.from_lists(range(12), rng.integers(0, 3, (12, 1)), 4)


PLAN = training_plan("adamw").changed(seed=0, epochs=3)


def test_the_stages_train_what_they_should() -> None:
    untouched = backbone().net.state_dict()
    stages: list[str] = []
    pixels, tags = pictures()
    states = {}
    for n_scales, fusion in ((0, True), (1, False), (1, True)):
        network = train_multiscale(
            backbone(),
            pixels,
            tags,
            plan=PLAN,
            fusion=fusion,
            n_trained_scales=n_scales,
            on_progress=lambda stage, done, total: stages.append(stage),
        )
        state = network.module.tower.state_dict()
        states[n_scales, fusion] = state
        for name, values in untouched.items():
            if name.startswith("fc."):
                continue
            same = torch.equal(values, state[f"net.{name}"])
            assert same == (not n_scales or not name.startswith("layer4")), name
        assert any(name.startswith("blocks") for name in state) == fusion
        assert network.module.tower.fuses == fusion
    assert list(dict.fromkeys(stages)) == ["fusion", "cnn"]
    assert stages == ["fusion"] * 3 + ["cnn"] * 6 + ["fusion"] * 3
    # The blocks are trained behind a backbone that stays what the stage before made of it.
    for name, values in states[1, False].items():
        torch.testing.assert_close(states[1, True][name], values, rtol=0, atol=0)


def outputs(exported: ExportedNetwork, pixels: np.ndarray, folder, precision: str) -> np.ndarray:
    for name, content in exported.files.items():
        (folder / name).write_bytes(content.tobytes())
    settings = {"INFERENCE_PRECISION_HINT": precision}
    compiled = inference_runtime().Core().compile_model(folder / "network.xml", "CPU", settings)
    return np.concatenate([compiled([one[None]])[0] for one in pixels])


@pytest.mark.parametrize("pools_stages", [False, True])
def test_the_exported_network_equals_the_one_of_torch(
    pools_stages, tmp_path, extractor_cache
) -> None:
    pixels, tags = pictures()
    plan = replace(PLAN, fusion=replace(PLAN.fusion, epochs=4, learning_rate=0.01))
    network = train_multiscale(
        backbone(), pixels, tags, plan=plan, pools_stages=pools_stages, n_trained_scales=1
    )
    with torch.no_grad():
        expected = network.module(torch.from_numpy(pixels)).numpy()
    assert np.ptp(expected, axis=0).max() > 0.01
    exported = ExportedNetwork.of(network)
    full = outputs(exported, pixels, tmp_path, "f32")
    np.testing.assert_allclose(full, expected, rtol=1e-3, atol=1e-3)
    opened = exported.open("mine")
    assert opened.fingerprint == network.spec.fingerprint
    assert opened.blocks == ((96, 32, 32, 48, 192, 96) if pools_stages else (96,))
    assert (opened.framing.size, opened.n_classes) == (33, 0)
    features = opened.extract(pixels)
    cosines = (features * expected).sum(axis=1) / (
        np.linalg.norm(features, axis=1) * np.linalg.norm(expected, axis=1)
    )
    assert cosines.min() > 0.999


def test_a_damaged_copy_in_the_cache_is_written_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path))
    pixels, tags = pictures()
    exported = ExportedNetwork.of(train_multiscale(backbone(), pixels, tags, plan=PLAN))
    expected = exported.open("mine").extract(pixels)
    (kept,) = (tmp_path / "networks").iterdir()
    (kept / "network.bin").write_bytes(b"short")
    np.testing.assert_array_equal(exported.open("mine").extract(pixels), expected)
    (tmp_path / "file").touch()
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ArtifactError, match=r"trained network cannot be written to .*ENGINE_CACHE"):
        exported.open("mine")


def test_backbones_by_name(timm_checkpoint) -> None:
    one, same, other = (
        open_backbone("timm:test_resnet", pretrained=False, seed=seed).net.conv1[0].weight
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    given = open_backbone(f"timm:test_resnet@{timm_checkpoint}")
    with seeded(0):
        expected = timm.create_model("test_resnet").state_dict()
    assert all(torch.equal(v, expected[name]) for name, v in given.net.state_dict().items())
    assert given.framing.size == 160
    drawn = open_backbone("efficientnet-lite0", pretrained=False)
    assert drawn.framing.size == 224
    for name in ("resnet101", "timm:", "magic:resnet18"):
        with pytest.raises(InputError, match="it is efficientnet-lite0, efficientnet-lite2 or"):
            open_backbone(name)
    for pretrained in (True, False):
        with pytest.raises(InputError, match="has no network 'resnet8'"):
            open_backbone("timm:resnet8", pretrained=pretrained)
