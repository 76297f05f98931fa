"""A workspace that another version of the engine wrote: read, or refused in one line."""

import copy
import json

import pytest
from click.testing import CliRunner

from engine import Workspace
from engine.cli import cli
from engine.manifest import lacking
from indexing.errors import ArtifactError

TRAINED = ("fading", "turned", "means", "hybrid")


class Manifest:
    """What a manifest says, and a way to say something else."""

    def __init__(self, path):
        self.path = path
        self.whole = json.loads(path.read_text(encoding="utf-8"))

    def write(self, says):
        self.path.write_text(json.dumps(says), encoding="utf-8")

    def without(self, *keys, put=None):
        """Write it without a field, or with another value there."""
        changed = copy.deepcopy(self.whole)
        node = changed
        for key in keys[:-1]:
            node = node[key]
        del node[keys[-1]]
        if put is not None:
            node[keys[-1]] = put
        self.write(changed)


@pytest.fixture
def manifest(trained):
    return Manifest(trained._folders.current()[0] / "generation.json")


def fields(node, *above):
    """Yield the path of everything that the manifest says, but of the files."""
    for key, value in node.items():
        if key != "file_bytes":
            yield (*above, key)
            if isinstance(value, dict):
                yield from fields(value, *above, key)


def use(workspace, new):
    """Do what reads the manifest, for people and for programs."""
    faults = set()
    for arguments in (["info"], ["info", "--json"], ["search", "--text", "red"], ["tag", str(new)]):
        result = CliRunner().invoke(cli, [*arguments, "-w", str(workspace.root)])
        if result.exception is not None:
            assert isinstance(result.exception, ArtifactError), (arguments, result.exception)
            faults.add(str(result.exception))
    return faults


def test_whatever_is_missing_is_named_and_nothing_else_breaks(trained, manifest, new):
    refused = {}
    for field in fields(manifest.whole):
        if {"turned", "means"} & set(field):
            continue  # fading is described alike
        manifest.without(*field)
        faults = use(trained, new)
        assert len(faults) <= 1
        if faults:
            refused[".".join(field)] = faults.pop()
    assert {name.partition(".")[0] for name in refused} == {
        *("format", "id", "source", "settings", "extractor", "counts", "learners"),
    }
    for name in ("id", "counts.tagged", "learners.knn.params", "learners.tagvote.chosen_by"):
        assert refused[name] == (
            f"{manifest.path} lacks {name}: another version of the engine wrote it; what this "
            "version writes is accepted; run 'engine build PICTURES' to make it anew (features are "
            "kept), or use the version of the engine that made it"
        )
    for name in ("hybrid.members.knn.told", "hybrid.goal", "fading.held_out.after.miap"):
        learner, _, field = name.partition(".")
        assert refused[f"learners.{name}"] == (
            f"{manifest.path} describes the trained learner {learner!r} without {field}: another "
            "version of the engine trained it; what this version trains is accepted; run 'engine "
            f"build' to go on without it and 'engine train {learner}' to make it again"
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (("counts",), [1, 2]),
        (("learners",), []),
        (("learners", "knn"), "ten"),
        (("learners", "fading", "seconds"), "long"),
        (("learners", "fading", "held_out", "before"), None),
        (("learners", "hybrid", "members"), ["knn"]),
        (("learners", "hybrid", "members", "knn"), 0.5),
    ],
)
def test_another_kind_of_value_is_as_good_as_none(trained, manifest, new, field, value):
    manifest.without(*field, put=value)
    (fault,) = use(trained, new)
    assert "another version of the engine" in fault


def test_a_build_goes_on_without_the_learner_and_keeps_the_others(trained, manifest, new, library):
    manifest.without("learners", "hybrid", "members", "knn", "told")
    with pytest.raises(ArtifactError, match="'engine build' to go on without it"):
        Workspace(trained.root).tag_one(new)
    report = trained.build(library)
    assert set(report.dropped) == {"hybrid"}
    assert report.n_extracted == 0
    assert trained.info()["learners"].keys() == {"knn", "tagvote", "fading", "turned", "means"}
    assert use(trained, new) == set()


def test_a_training_goes_on_without_the_learner_too(trained, manifest, new):
    manifest.without("learners", "hybrid", "members", "knn", "told")
    assert set(trained.train("means").dropped) == {"hybrid"}
    assert trained.info()["learners"].keys() == {"knn", "tagvote", "fading", "turned", "means"}
    assert use(trained, new) == set()


def test_a_build_makes_what_it_cannot_read_anew(trained, manifest, new, library, settings):
    manifest.without("counts")
    assert trained.build(library, settings).n_extracted == 0
    assert use(trained, new) == set()


def test_what_this_version_does_not_know_is_let_be(trained, manifest, new):
    more = {**manifest.whole, "mood": "good"}
    more["learners"] = {
        name: {**entry, "trained_by": "a later version"}
        for name, entry in manifest.whole["learners"].items()
    }
    manifest.write(more)
    assert use(trained, new) == set()
    assert lacking(more["learners"]) == {}


def test_a_learner_of_a_later_version_is_not_in_the_way_of_others(trained, manifest, new):
    learners = manifest.whole["learners"]
    later = {**manifest.whole, "learners": {**learners, "later": dict(learners["means"])}}
    manifest.write(later)
    for name in TRAINED:
        assert next(Workspace(trained.root).tag([new], learner=name)).learner == name
    assert trained.info()["learners"].keys() == {*learners, "later"}
    offers_no_training = r"'later' cannot be read \(.* to go on without it, or name another"
    with pytest.raises(ArtifactError, match=offers_no_training):
        next(Workspace(trained.root).tag([new], learner="later"))
    del later["learners"]["later"]["seconds"]
    manifest.write(later)
    with pytest.raises(ArtifactError, match=r"run 'engine build' to go on without it$"):
        next(Workspace(trained.root).tag([new], learner="later"))


@pytest.mark.parametrize("name", ["later", "2pknn", "means"])
def test_what_cannot_be_trained_is_not_offered(trained, manifest, name):
    """Neither what a later version trained, nor what is only there to be compared with."""
    learners = manifest.whole["learners"]
    manifest.write({**manifest.whole, "learners": {**learners, name: learners["means"]}})
    (manifest.path.parent / "learners" / name / "learner.npz").unlink(missing_ok=True)
    command = ["build", "-w", str(trained.root)]
    said = CliRunner().invoke(cli, command, catch_exceptions=False).stdout.splitlines()
    offered = "; 'engine train means' makes it again" if name == "means" else ""
    assert f"{name} is dropped: its files are damaged, or of another version{offered}" in said
